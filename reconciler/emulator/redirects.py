"""Where a consent may send the browser back to; pure rules over one address."""

import ipaddress
import re
from urllib.parse import SplitResult, urlencode, urlsplit

from reconciler.emulator.switches import Switches

_SPELLED = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")
_NAME = re.compile(r"[a-z0-9.-]+")


def acceptable(uri: str, switches: Switches) -> bool:
    """Declared, if the application declares any, and https unless the browser stays on this machine."""
    parts = _split(uri)
    if parts is None or (switches.redirect_uris and uri not in switches.redirect_uris):
        return False
    loopback = switches.loopback_redirects and _is_loopback(parts.hostname or "")
    return parts.scheme == "https" or (parts.scheme == "http" and loopback)


def with_answer(uri: str, answer: dict[str, str]) -> str:
    """A query that the address has already is kept."""
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode(answer)}"


def source(uri: str) -> str:
    """Return the source for a content policy.

    A policy knows 127.0.0.1 only; of other IP addresses, only the scheme.
    """
    parts = urlsplit(uri)
    host = parts.hostname or ""
    if _address(host) is not None and host != "127.0.0.1":
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def _split(uri: str) -> SplitResult | None:
    """Nothing if it is no absolute address, or has a fragment, a login or an odd host."""
    if not _SPELLED.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
        odd_port = parts.port == 0
    except ValueError:
        return None
    host = parts.hostname or ""
    if odd_port or "@" in parts.netloc or not (_NAME.fullmatch(host) or _address(host)):
        return None
    return parts


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
