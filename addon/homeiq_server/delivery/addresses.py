"""Which addresses a webhook may be sent to: whoever can name an address must not reach what only this host can.

The address that a connection is made to is the one that is checked, at the moment when its socket is made: a name that
is looked up twice with two answers, an address in another spelling, or one within another, makes no difference.
"""

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final, override

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_LOW_32_BITS: Final = 0xFFFFFFFF
_PUBLIC_BUT_OURS: Final = frozenset({IPv4Address("168.63.129.16")})  # each virtual machine in Azure has it beside it


class RefusedAddress(OSError):
    """No message is sent to this address; the text tells why."""


class Addresses:
    """Knows which addresses are fit.

    Args:
        allowed: Addresses and networks that the operator lets in whatever they are, as text.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._allowed = tuple(ipaddress.ip_network(each) for each in allowed)

    def check(self, text: str, *, encrypted: bool) -> None:
        """Return when a message may be sent there.

        Args:
            text: The address, no name.
            encrypted: Whether it goes by TLS; without it, only to what the operator allows.

        Raises:
            RefusedAddress: It may not.
        """
        address = _within(ipaddress.ip_address(text))
        if any(address in network for network in self._allowed):
            return
        if not is_public(address):
            raise RefusedAddress(f"{address} is not a public address: webhook_allow has to name it")
        if not encrypted:
            raise RefusedAddress("give an https:// address; http:// is for addresses that webhook_allow names")


def is_public(address: Address) -> bool:
    """Tell whether it is one that anybody can reach."""
    address = _within(address)
    if address in _PUBLIC_BUT_OURS or address.is_multicast or address.is_reserved:
        return False
    return address.is_global and (isinstance(address, IPv4Address) or address in _UNICAST)


class CheckedResolver(AbstractResolver):
    """Looks names up, and gives the fit addresses alone."""

    def __init__(self, addresses: Addresses, *, encrypted: bool, names: AbstractResolver | None = None) -> None:
        self._names = names or ThreadedResolver()
        self._addresses = addresses
        self._encrypted = encrypted

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._names.resolve(host, port, family)
        fit, refusal = [], RefusedAddress("the name has no address")
        for each in found:
            try:
                self._addresses.check(each["host"], encrypted=self._encrypted)
            except RefusedAddress as err:
                refusal = err
            else:
                fit.append(each)
        if not fit:
            raise refusal
        return fit

    @override
    async def close(self) -> None:
        await self._names.close()


class CheckedSockets:
    """Makes sockets, for fit addresses alone."""

    def __init__(self, addresses: Addresses, *, encrypted: bool) -> None:
        self._addresses = addresses
        self._encrypted = encrypted

    def __call__(self, info: Sequence[Any]) -> socket.socket:
        """Return a socket for what ``getaddrinfo`` gives.

        Raises:
            RefusedAddress: It is not fit.
        """
        family, kind, protocol, _, target = info
        self._addresses.check(str(target[0]), encrypted=self._encrypted)
        return socket.socket(family, kind, protocol)


def _within(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & _LOW_32_BITS)
    return address.ipv4_mapped or address
