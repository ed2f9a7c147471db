"""Which addresses a result may be fetched from: public ones, and those the account itself stands on.

The check sits where the socket is made, so it sees every address really used: a name that changes its address between
look-up and connection, an address written as a number, and every hop of a redirect (reliability.md d.2).
"""

import errno
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_DENIED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "::/96",
        "fec0::/10",
        "64:ff9b:1::/48",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "100.64.0.0/10",
        "198.18.0.0/15",
    )
)
"""Networks that Python takes for public, or took in some version, and that lead inside."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


NOT_PUBLIC = "is not a public address"


class AddressDenied(OSError):
    """A result would have been fetched from a loopback, private or link-local address."""


def unwrapped(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that an IPv6 address carries, if it carries one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return inner or address


def is_public(address: IPAddress) -> bool:
    """Say whether an address belongs to the open internet."""
    inner = unwrapped(address)
    if any(candidate in network for candidate in (address, inner) for network in _DENIED if candidate.version == network.version):
        return False
    return inner.is_global and not (inner.is_multicast or inner.is_reserved)


class Guard:
    """Makes sockets for result downloads; `allowed` are addresses that are fine although they are not public."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = frozenset(ipaddress.ip_address(address) for address in allowed)

    def socket(self, address_info: tuple[Any, ...]) -> socket.socket:
        """Return a socket for one `getaddrinfo` entry, or raise `AddressDenied`."""
        family, kind, protocol, _, endpoint = address_info
        address = ipaddress.ip_address(endpoint[0].split("%")[0])
        if address not in self._allowed and unwrapped(address) not in self._allowed and not is_public(address):
            raise AddressDenied(errno.EACCES, f"{address} {NOT_PUBLIC}")
        return socket.socket(family=family, type=kind, proto=protocol)


def addresses_of(host: str) -> set[str]:
    """Return the addresses a host name stands for right now; none when it has none."""
    try:
        return {str(entry[4][0]).split("%")[0] for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()
