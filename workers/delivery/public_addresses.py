"""Which addresses webhooks may go to: those of the public internet, and what a host's name leads to, looked up once."""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Final

_MOST_ADDRESSES: Final = 4  # of one host, tried in turn

# IANA's special-purpose registries, multicast, and the one public address at which a cloud (Azure) answers its own
# machines. Written out: what `ipaddress` calls global differs between releases of Python.
_CLOSED_V4: Final = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
        ),
    )
)  # fmt: skip
_OPEN_V6: Final = ipaddress.IPv6Network("2000::/3")  # all that is given out to anybody
_CLOSED_V6: Final = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class ClosedAddressError(OSError):
    """A host is not on the public internet; the message names it and its address."""


def is_public(address: str) -> bool:
    """Say whether an address (IPv4 or IPv6, as text) is one of the public internet.

    An IPv4 address inside an IPv6 one (mapped, or behind NAT64) counts as what it is.
    """
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif found in _NAT64:
            found = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in network for network in _CLOSED_V4)
    return found in _OPEN_V6 and not any(found in network for network in _CLOSED_V6)


def addresses_of(host: str, port: int, *, allow_private: bool) -> Sequence[str]:
    """Look a host up, once: who connects to these addresses cannot be led to others.

    Raises:
        ClosedAddressError: one of them is not on the public internet, and only such are allowed.
        OSError: it cannot be looked up.
    """
    found = list(dict.fromkeys(str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
    closed = [] if allow_private else [address for address in found if not is_public(address)]
    if closed:
        raise ClosedAddressError(f"{host} is {closed[0]}, which is not on the public internet")
    return found[:_MOST_ADDRESSES]
