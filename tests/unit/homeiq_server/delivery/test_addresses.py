"""Which addresses a webhook may be sent to."""

import ipaddress
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from homeiq_server.delivery.addresses import Addresses, CheckedResolver, CheckedSockets, RefusedAddress, is_public

REFUSED = (
    "0.0.0.0",  # noqa: S104 - an address, bound to by nobody
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",  # metadata of Alibaba
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",  # Azure's own, beside each virtual machine
    "169.254.169.254",  # metadata of most clouds
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",  # metadata of Oracle
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:a9fe:a9fe",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001:0:4136::1",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::1",  # 6to4
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",  # metadata of Amazon
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
)
PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "172.32.0.1",
    "192.167.255.255",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
)


@pytest.mark.parametrize("address", REFUSED)
def test_what_only_this_host_or_its_network_can_reach_is_refused(address: str) -> None:
    with pytest.raises(RefusedAddress, match="webhook_allow"):
        Addresses().check(address, encrypted=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_anybody_can_reach_is_fit_by_tls_alone(address: str) -> None:
    Addresses().check(address, encrypted=True)
    with pytest.raises(RefusedAddress, match="https"):
        Addresses().check(address, encrypted=False)


@pytest.mark.parametrize(
    ("allowed", "address"),
    [
        ("192.168.1.0/24", "192.168.1.9"),
        ("192.168.1.0/24", "::ffff:192.168.1.9"),
        ("127.0.0.1/32", "127.0.0.1"),
        ("fd00::/8", "fd12::1"),
        ("fe80::/10", "fe80::1%1"),
    ],
)
def test_what_the_operator_names_is_fit_without_tls_too(allowed: str, address: str) -> None:
    Addresses([allowed]).check(address, encrypted=False)


def test_what_the_operator_names_lets_nothing_else_in() -> None:
    with pytest.raises(RefusedAddress):
        Addresses(["192.168.1.0/24"]).check("192.168.2.1", encrypted=True)


@given(st.ip_addresses(v=4))
def test_an_address_within_another_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        within = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | int(address))
        assert is_public(within) == is_public(address)


@given(st.ip_addresses(v=6))
def test_no_address_of_ours_in_ipv6_is_public(address: ipaddress.IPv6Address) -> None:
    if address.is_loopback or address.is_link_local or address.is_private or address.is_multicast:
        assert not is_public(address)


class _Names(AbstractResolver):
    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=each, port=port, family=family, proto=0, flags=0)
            for each in self._addresses
        ]

    async def close(self) -> None:
        pass


async def test_a_name_gives_its_fit_addresses_alone() -> None:
    resolver = CheckedResolver(Addresses(), encrypted=True, names=_Names("10.0.0.1", "8.8.8.8", "::1"))
    assert [each["host"] for each in await resolver.resolve("both.example", 443)] == ["8.8.8.8"]
    await resolver.close()


async def test_a_name_without_a_fit_address_is_refused() -> None:
    resolver = CheckedResolver(Addresses(), encrypted=True, names=_Names("10.0.0.1", "127.0.0.1"))
    with pytest.raises(RefusedAddress, match="not a public address"):
        await resolver.resolve("inside.example", 443)


def test_no_socket_is_made_for_an_address_that_was_not_asked_about() -> None:
    make = CheckedSockets(Addresses(), encrypted=True)
    with pytest.raises(RefusedAddress):
        make((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 443)))
    make((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443))).close()
