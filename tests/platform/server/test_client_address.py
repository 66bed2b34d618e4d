"""Where a request comes from."""

from typing import Any

import msgspec
import pytest
from litestar.connection import ASGIConnection

from videoflix.platform.server import client_address as client
from videoflix.platform.server.client_address import client_address
from videoflix.settings import read_settings, settings

PROXIES = "10.0.0.0/8, 192.168.1.7"


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.5", "", "203.0.113.5"),
        ("203.0.113.5", "198.51.100.1", "203.0.113.5"),
        ("10.1.2.3", "198.51.100.1", "198.51.100.1"),
        ("10.1.2.3", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.1.2.3", "198.51.100.1, 192.168.1.7", "198.51.100.1"),
        ("10.1.2.3", "10.9.9.9", "10.9.9.9"),
        ("10.1.2.3", "1.1.1.1, rubbish", "10.1.2.3"),
        ("10.1.2.3", "", "10.1.2.3"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::"),
        ("10.1.2.3", "2001:db8:1:2::9", "2001:db8:1:2::"),
        ("::ffff:203.0.113.5", "", "203.0.113.5"),
        (None, "198.51.100.1", "unknown"),
    ],
)
def test_only_trusted_proxies_are_believed(
    monkeypatch: pytest.MonkeyPatch, peer: str | None, forwarded: str, expected: str
) -> None:
    monkeypatch.setattr(
        client, "settings", msgspec.structs.replace(settings, trusted_proxies=PROXIES)
    )
    scope: Any = {
        "type": "http",
        "client": (peer, 5) if peer else None,
        "headers": [(b"x-forwarded-for", forwarded.encode())] if forwarded else [],
    }
    connection = ASGIConnection[Any, Any, Any, Any](scope)
    assert client_address(connection) == expected


def test_wrong_proxies_are_named() -> None:
    with pytest.raises(SystemExit, match="TRUSTED_PROXIES is wrong"):
        _ = read_settings({"TRUSTED_PROXIES": "10.0.0.0/33"}).trusted_networks
