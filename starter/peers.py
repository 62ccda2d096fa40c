"""Who is connected, by the address alone."""

import ipaddress
from collections.abc import Sequence
from typing import Final

_LONGEST_NAME: Final = 64
_OF_ONE_HOLDER: Final = 64
"""Bits of an IPv6 address that its holder cannot choose."""


class Addresses:
    """Addresses and networks, as settings name them."""

    def __init__(self, named: Sequence[str] = ()) -> None:
        self._networks: Final = tuple(ipaddress.ip_network(one) for one in named)

    def __contains__(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def holder_of(host: str) -> str:
    """Whom an address counts for: one holder has a whole IPv6 network of 64 bits."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:_LONGEST_NAME]
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _OF_ONE_HOLDER), strict=False))
    return str(address)
