"""URLs with passwords in them: read without guessing, shown without it, and never sent in the clear."""

import re
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Literal
from urllib.parse import SplitResult, parse_qs, urlsplit


def read(url: str, schemes: Sequence[str]) -> SplitResult:
    """Return the parts of a URL.

    Raises:
        ValueError: the scheme is another, or an unescaped character of the password makes the rest ambiguous. The
            message quotes no part of the URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # its words may quote the password
        parts = None
    if parts is None or "@" in url.partition("://")[2].removeprefix(parts.netloc):
        raise ValueError("cannot be read: special characters of user and password are escaped (@ is %40, / is %2F)")
    if parts.scheme not in schemes:
        raise ValueError(f"must be a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return parts


def require_host(parts: SplitResult) -> None:
    """Make sure that a URL names a host and no impossible port.

    Raises:
        ValueError: it does not; the message quotes no part of the URL.
    """
    try:
        reachable = parts.hostname is not None and parts.port != 0
    except ValueError:  # its words may quote a part of the password
        reachable = False
    if not reachable:
        raise ValueError("must name a host and, if any, a port from 1 to 65535; special characters are escaped")


def masked(url: str) -> str:
    """Return a URL without its passwords, fit to be shown."""
    scheme, _, rest = re.sub(r"(?<=[?&])(ssl)?password=[^&]*&?", "", url, flags=re.IGNORECASE).partition("://")
    credentials, at, place = rest.rstrip("?&").rpartition("@")
    return f"{scheme}://{credentials.partition(':')[0]}{at}{place}"


def starttls(parts: SplitResult) -> Literal["required", "offered", "off"]:
    """Say whether a mail connection that starts in the clear must, may or must not change to TLS.

    A password is never sent in the clear, unless the URL of a server on this machine says ?starttls=off.

    Raises:
        ValueError: ?starttls= has another value than required or off, or is off and the server elsewhere.
    """
    wanted = parse_qs(parts.query, keep_blank_values=True).get("starttls")
    match wanted:
        case ["required"]:
            return "required"
        case ["off"] if on_this_machine(parts.hostname or ""):
            return "off"
        case ["off"]:
            raise ValueError("?starttls=off is for a server on this machine (localhost, 127.0.0.1)")
        case None:
            return "required" if parts.username else "offered"
    raise ValueError("?starttls= is required or off")


def on_this_machine(host: str) -> bool:
    """Say whether a URL's host is this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
