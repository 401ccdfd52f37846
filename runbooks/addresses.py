"""Which addresses of the network are public: what a connector without `private: true` may reach."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
_NOT_PUBLIC = tuple(
    map(ipaddress.ip_network, ("64:ff9b:1::/48", "fec0::/10", "192.0.0.0/24", "3fff::/20", "5f00::/16"))
)
"""Beyond what `ipaddress` knows: NAT64 of one's own (RFC 8215), site-local, and what was set aside lately."""

AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]


class PrivateAddress(OSError):
    """The connector's host is on a private network, and `private: true` does not stand beside it."""


def check_public(address: str) -> None:
    """Passes for a public address. Raises `PrivateAddress` for private, loopback, link-local, carrier-grade NAT,
    unspecified, reserved and multicast ones, also for those that an IPv6 address carries inside (mapped, NAT64, 6to4,
    Teredo), and for what is no address as RFC 4291 and RFC 6943 write it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise PrivateAddress(f"{address} is not written as an address is") from None
    if not all(_is_public(each) for each in (found, *_inside(found))):
        raise PrivateAddress(f"{address} is a private address; allow it with `private: true` on the connector")


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return True  # judged by what it carries
    is_set_aside = any(address in each for each in _NOT_PUBLIC if each.version == address.version)
    return address.is_global and not address.is_multicast and not is_set_aside


def _inside(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that packets to this one may come out at."""
    if isinstance(address, IPv4Address):
        return
    carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or address in _COMPATIBLE:
        carried.append(IPv4Address(int(address) & 0xFFFFFFFF))
    yield from (each for each in carried if each)


class PublicResolver(ThreadedResolver):
    """Resolves names, and refuses those of which any address is not public."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of the host. Raises `PrivateAddress`."""
        found = await super().resolve(host, port, family)
        for each in found:
            check_public(each["host"])
        return found


def public_socket(info: AddressInfo) -> socket.socket:
    """A socket for this address, which is the one that is connected to: whatever a name led to before, and however a
    host is written. Raises `PrivateAddress`."""
    family, kind, protocol, _, address = info
    check_public(address[0])
    return socket.socket(family, kind, protocol)
