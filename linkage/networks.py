"""IP addresses: their canonical form, their network, and those that are nobody's own.

Python's `ipaddress.is_private` also holds for documentation ranges and more; what is no evidence is listed here, and
nowhere else.
"""

import ipaddress
import socket
from functools import lru_cache
from typing import Final

NOT_EVIDENCE: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # unspecified
        "10.0.0.0/8",  # RFC 1918
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local
        "172.16.0.0/12",  # RFC 1918
        "192.168.0.0/16",  # RFC 1918
        "::/64",  # unspecified and loopback
        "fc00::/7",  # unique local, RFC 4193
        "fe80::/10",  # link-local
    )
)
"""Networks whose addresses many have at once. All are at least as wide as a /24 or /64."""

_WIDTH: Final = {4: 24, 6: 64}


@lru_cache(maxsize=1 << 16)
def canonical_ip(text: str) -> str | None:
    """The one spelling of an address; None if it is none.

    An IPv4 address inside IPv6 is the IPv4 address, and a zone is left out.

    >>> canonical_ip("2001:DB8:0::1"), canonical_ip("::ffff:8.8.4.4"), canonical_ip("fe80::1%eth0")
    ('2001:db8::1', '8.8.4.4', 'fe80::1')
    >>> canonical_ip("8.8.8.08") is None
    True
    """
    text = text.strip().partition("%")[0]
    packed = _packed(text)
    # Of addresses with an IPv4 one inside, libraries differ in the spelling.
    if packed and any(packed[:8]):
        return socket.inet_ntop(socket.AF_INET6, packed)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def net_of(ip: str) -> str | None:
    """The /24 or /64 that an address lies in; None if it is no address.

    >>> net_of("8.8.4.4"), net_of("2001:db8:1:2:3::4")
    ('8.8.4.0/24', '2001:db8:1:2::/64')
    """
    packed = _packed(ip)
    if packed:
        return socket.inet_ntop(socket.AF_INET6, packed[:8] + bytes(8)) + "/64"
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return None
    return str(ipaddress.ip_network((address, _WIDTH[address.version]), strict=False))


def is_private(network: str) -> bool:
    """Whether a /24 or /64 (or an address) lies in a network that is `NOT_EVIDENCE`.

    >>> is_private("100.64.3.0/24"), is_private("8.8.4.4"), is_private("fd00::/64")
    (True, False, True)
    """
    start = network.partition("/")[0]
    packed = _packed(start)
    if packed:
        head = int.from_bytes(packed[:8])
        return any(head >> (64 - bits) == wanted for bits, wanted in _PRIVATE_HEADS)
    try:
        address = ipaddress.ip_address(start)
    except ValueError:
        return False
    return any(address in outer for outer in NOT_EVIDENCE)


def _packed(text: str) -> bytes | None:
    """The 16 bytes of an IPv6 address, a hundred times as quickly as `ipaddress`; None if it is none."""
    if ":" not in text or len(text) > 45:
        return None
    try:
        return socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return None


_PRIVATE_HEADS: Final = tuple(
    (network.prefixlen, int.from_bytes(network.network_address.packed[:8]) >> (64 - network.prefixlen))
    for network in NOT_EVIDENCE
    if isinstance(network, ipaddress.IPv6Network)
)


def private_sql(column: str) -> str:
    """SQL that holds where `column`, a canonical address or its network, is private; needs a function `is_private`.

    IPv4, where the millions are, goes by one regular expression made from `NOT_EVIDENCE`.
    """
    starts = "|".join(_starts(network) for network in NOT_EVIDENCE if isinstance(network, ipaddress.IPv4Network))
    return (
        f"CASE WHEN contains({column}, ':') THEN is_private({column}) ELSE regexp_matches({column}, '^({starts})') END"
    )


def net_sql(column: str) -> str:
    r"""SQL for `net_of` of `column`, a canonical address or NULL; needs a function `net_of`, for IPv6 alone.

    >>> net_sql("ip")
    "CASE WHEN contains(ip, ':') THEN net_of(ip) ELSE regexp_replace(ip, '\\d+$', '0/24') END"
    """
    return rf"CASE WHEN contains({column}, ':') THEN net_of({column}) ELSE regexp_replace({column}, '\d+$', '0/24') END"


def _starts(network: ipaddress.IPv4Network) -> str:
    """A pattern for how the addresses of a network of /16 or wider begin."""
    first, last = network.network_address.packed, network.broadcast_address.packed
    if first[0] == last[0] and (first[1], last[1]) == (0, 255):
        return rf"{first[0]}[.]"
    return rf"{first[0]}[.]({'|'.join(str(octet) for octet in range(first[1], last[1] + 1))})[.]"
