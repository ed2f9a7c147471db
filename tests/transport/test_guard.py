import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.transport.guard import AddressDenied, Guard, is_public

INSIDE = [
    "127.0.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "198.18.0.1", "192.0.0.8",
    "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "fec0::1", "::ffff:127.0.0.1", "::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001:db8::1", "ff02::1",
    "2001:0000:4136:e378:8000:63bf:f5ff:fffe", "100.127.255.255", "198.19.255.255", "192.0.0.170", "192.88.99.1", "0.1.2.3",
    "239.255.255.250", "ff0e::1", "fdff::1", "febf::1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::a9fe:a9fe",
    "::ffff:10.0.0.1",
]  # fmt: skip
OUTSIDE = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_leads_inside_is_denied(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    assert not is_public(ipaddress.ip_address(address))
    with pytest.raises(AddressDenied, match="is not a public address"):
        Guard().socket((family, socket.SOCK_STREAM, 0, "", (address, 443)))


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_of_the_open_internet_is_fine(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with Guard().socket((family, socket.SOCK_STREAM, 0, "", (address, 443))) as made:
        assert made.family == family


def test_the_accounts_own_address_is_fine_and_its_neighbour_is_not() -> None:
    guard = Guard(["127.0.0.1"])
    guard.socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 80))).close()
    guard.socket((socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("::ffff:127.0.0.1", 80))).close()
    with pytest.raises(AddressDenied):
        guard.socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.2", 80)))


@given(st.ip_addresses(v=4, network="10.0.0.0/8"))
def test_no_wrapping_makes_a_private_address_public(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    for wrapped in (number | 0xFFFF << 32, number, 0x2002 << 112 | number << 80, 0x64FF9B << 96 | number):
        assert not is_public(ipaddress.IPv6Address(wrapped))
