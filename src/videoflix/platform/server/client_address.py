"""Client addresses of requests, also behind reverse proxies."""

from contextvars import ContextVar
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from litestar.connection import ASGIConnection
from litestar.types import HTTPScope

from videoflix.settings import settings

# A client usually controls a whole /64, so limits apply to the network.
IPV6_NETWORK_BITS = 64

Connection = ASGIConnection[Any, Any, Any, Any]
Address = IPv4Address | IPv6Address


# The ASGI scope of the current request; identity.py sets it.
current_scope: ContextVar[HTTPScope | None] = ContextVar("visiting", default=None)


def current_client() -> tuple[str, str]:
    """Return the current request's client address and device; empty outside a request."""
    scope = current_scope.get()
    if scope is None:
        return "", ""
    connection = Connection(scope)
    return client_address(connection), device_of(connection)


def device_of(connection: Connection) -> str:
    """Return the User-Agent, truncated to 200 characters."""
    return connection.headers.get("user-agent", "").replace("\x00", "")[:200]


def client_address(connection: Connection) -> str:
    """Return the client's IPv4 address or IPv6 /64 network; "unknown" on a Unix socket.

    X-Forwarded-For is read from the right and only as far as TRUSTED_PROXIES wrote it, as clients
    can forge its beginning.
    """
    return rate_limited_network(_client_hop(connection))


def rate_limited_network(peer: str) -> str:
    """Return an IPv6 address's /64 network; anything else unchanged."""
    address = _parsed(peer)
    return peer if address is None else _network_of(address)


def is_trusted_proxy(peer: str) -> bool:
    """Return whether the address is in TRUSTED_PROXIES."""
    address = _parsed(peer)
    return address is not None and _is_trusted(address)


def _is_trusted(address: Address) -> bool:
    return any(address in network for network in settings.trusted_networks)


def _client_hop(connection: Connection) -> str:
    """Return the rightmost untrusted hop, or the socket's peer."""
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
