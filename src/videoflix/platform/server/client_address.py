"""Where a request comes from, when proxies stand in between."""

from contextvars import ContextVar
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from litestar.connection import ASGIConnection
from litestar.types import HTTPScope

from videoflix.settings import settings

# A household gets a whole network of these; its single addresses are free to change.
IPV6_NETWORK_BITS = 64

Connection = ASGIConnection[Any, Any, Any, Any]
Address = IPv4Address | IPv6Address


# The request that is being answered: set for each one by identity.py.
current_scope: ContextVar[HTTPScope | None] = ContextVar("visiting", default=None)


def current_client() -> tuple[str, str]:
    """The address and the device (User-Agent) behind what happens now; empty for a job."""
    scope = current_scope.get()
    if scope is None:
        return "", ""
    connection = Connection(scope)
    return client_address(connection), device_of(connection)


def device_of(connection: Connection) -> str:
    """What the client calls itself, at most 200 characters."""
    return connection.headers.get("user-agent", "").replace("\x00", "")[:200]


def client_address(connection: Connection) -> str:
    """The client's address, or its /64 network with IPv6; "unknown" on a Unix socket.

    X-Forwarded-For counts only as far as TRUSTED_PROXIES wrote it, read from the right: anybody
    may begin such a header.
    """
    return rate_limited_network(_client_hop(connection))


def rate_limited_network(peer: str) -> str:
    """An address as limits count it: its /64 network with IPv6; what is no address, as it is."""
    address = _parsed(peer)
    return peer if address is None else _network_of(address)


def is_trusted_proxy(peer: str) -> bool:
    """Whether TRUSTED_PROXIES names this address."""
    address = _parsed(peer)
    return address is not None and _is_trusted(address)


def _is_trusted(address: Address) -> bool:
    return any(address in network for network in settings.trusted_networks)


def _client_hop(connection: Connection) -> str:
    """The client as the last believable proxy, or the socket, names it."""
    client = connection.scope["client"]
    hops = [client[0] if client else "unknown"]
    forwarded = ",".join(connection.headers.getall("x-forwarded-for", []))
    hops += [hop.strip() for hop in reversed(forwarded.split(",")) if hop.strip()]
    for hop in hops:
        address = _parsed(hop)
        if address is None:
            return hops[0]
        if not _is_trusted(address):
            return hop
    return hops[-1]


def _parsed(hop: str) -> Address | None:
    try:
        address = ip_address(hop)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _network_of(address: Address) -> str:
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> IPV6_NETWORK_BITS << IPV6_NETWORK_BITS))
    return str(address)
