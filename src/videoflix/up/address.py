"""The address to listen on, checked before anything starts."""

import errno
import socket
from typing import NamedTuple

DEFAULT_PORT = 8000
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - for display only


class AddressUnusable(Exception):
    """The address cannot be used; the message says why and how to fix it."""


class Address(NamedTuple):
    """A host and a port to listen on."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The URL for a browser on this machine."""
        host = EVERYWHERE.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def address_of(host: str, port: int | None) -> Address:
    """The requested address, with the default port if none is given."""
    return Address(host, port or DEFAULT_PORT)


def free_address(host: str, port: int | None) -> Address:
    """Check that we can listen on an address. Raises AddressUnusable."""
    address = address_of(host, port)
    try:
        _try_to_listen(address)
    except OSError as error:
        raise AddressUnusable(_sentence(address, error)) from error
    return address


def _try_to_listen(address: Address) -> None:
    family, kind, _, _, place = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(place)
        probe.listen()


def _sentence(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {address.port} on {address.host} is already in use."
            f" Choose another port: videoflix up --port {address.port + 1}"
        )
    if error.errno == errno.EACCES:
        return f"Port {address.port} requires root privileges: use --port 1024 or higher."
    return f"Cannot listen on {address.host}, port {address.port}: {error.strerror}."
