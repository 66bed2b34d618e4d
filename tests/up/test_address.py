"""Where `up` serves, and what it says when it cannot."""

import socket

import pytest

from videoflix.up.address import Address, AddressUnusable, address_of, free_address


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("films.local", "http://films.local:8000"),
    ],
)
def test_the_url_works_on_this_machine(host: str, url: str) -> None:
    assert address_of(host, None).url == url


def test_a_free_port_is_free_again_afterwards() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressUnusable, match=f"Port {port} .*--port {port + 1}"):
            free_address("127.0.0.1", port)
    assert free_address("127.0.0.1", port) == Address("127.0.0.1", port)
    assert free_address("127.0.0.1", port) == Address("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(AddressUnusable, match=r"Cannot listen on 192\.0\.2\.1"):
        free_address("192.0.2.1", 8000)
