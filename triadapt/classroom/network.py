"""Addresses of this machine that others on its network can reach."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import closing
from urllib.parse import urlsplit

import psutil

_ELSEWHERE = ("192.0.2.1", 9)  # an address of no machine; nothing is sent to it


def network_addresses() -> list[str]:
    """IPv4 addresses of this machine, the one it reaches the network from first; none where it has no network."""
    found = [_towards_the_network()]
    for addresses in psutil.net_if_addrs().values():
        found += [one.address for one in addresses if one.family == socket.AF_INET]
    return [one for one in dict.fromkeys(found) if one and _reachable(one)]


def _towards_the_network() -> str:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(_ELSEWHERE)
        except OSError:
            return ""
        return str(probe.getsockname()[0])


def _reachable(address: str) -> bool:
    known = ipaddress.ip_address(address)
    return not (known.is_loopback or known.is_unspecified or known.is_link_local)


def is_local(url: str) -> bool:
    """Whether the address of a page leads nowhere from other machines."""
    host = urlsplit(url).hostname or ""
    try:
        return not _reachable(host)
    except ValueError:
        return host in ("", "localhost") or host.endswith(".localhost")
