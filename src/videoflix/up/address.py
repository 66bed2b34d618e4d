"""Where we serve: checked before anything starts, so that a taken port is told at once."""

import errno
import socket
from typing import NamedTuple

DEFAULT_PORT = 8000
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - only translated for the eye


class AddressUnusable(Exception):
    """We cannot serve there; the message says why and what to do."""


class Address(NamedTuple):
    """A host and a port to listen on."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """What to type into a browser on this machine."""
        host = EVERYWHERE.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def wanted_address(host: str, port: int | None) -> Address:
    """The address that was asked for, or the default one."""
    return Address(host, port or DEFAULT_PORT)


def free_address(host: str, port: int | None) -> Address:
    """The address to serve on. Raises AddressUnusable when it is taken or not ours."""
    address = wanted_address(host, port)
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
            f"Port {address.port} on {address.host} is taken by another program."
            f" Choose another one: videoflix up --port {address.port + 1}"
        )
    if error.errno == errno.EACCES:
        return f"Port {address.port} is reserved for root: choose --port 1024 or higher."
    return f"Cannot serve on {address.host}, port {address.port}: {error.strerror}."
