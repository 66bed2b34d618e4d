"""Which addresses the server may connect to for users: public ones, and those the operator allows.

Prevents server-side request forgery (OWASP ASVS 5.0, 1.3.6): hosts of the internal network and
metadata services of clouds (169.254.169.254, fd00:ec2::254) are not public.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

# Not routed on the Internet, but global to Python 3.11, or reaching IPv4 in disguise.
REFUSED = tuple(
    ip_network(one)
    for one in (
        "100.64.0.0/10",  # carrier-grade NAT
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "::/96",  # IPv4-compatible, with :: and ::1
        "64:ff9b:1::/48",  # local NAT64
        "2001::/23",  # Teredo, ORCHID and other special purposes
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
        "fec0::/10",  # site-local
    )
)
# Addresses whose last four bytes are an IPv4 address that is reached through a translator.
NAT64 = ip_network("64:ff9b::/96")


class AddressRefused(Exception):
    """A name or a redirect leads to an address that is not permitted."""


def is_permitted(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Return whether an address is public, or in one of the allowed networks."""
    try:
        found = _without_disguise(ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if any(found in network for network in allowed if network.version == found.version):
        return True
    if any(found in network for network in REFUSED if network.version == found.version):
        return False
    return found.is_global and not (found.is_multicast or found.is_reserved)


def _without_disguise(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that a mapped or translated IPv6 address reaches."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
