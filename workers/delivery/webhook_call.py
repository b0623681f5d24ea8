"""One call to a webhook endpoint: signed, over https, to an address on the public internet, never redirected."""

import base64
import hashlib
import hmac
import http.client
import ipaddress
import secrets
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import SplitResult, urlsplit

from workers import clock, urls
from workers.deadline import Deadline, Watched

_CONNECT_SECONDS: Final = 5
_ANSWER_SECONDS: Final = 10  # from byte to byte
_DEADLINE_SECONDS: Final = 20  # for a call, from opening the connection to the last byte
_MOST_ADDRESSES: Final = 4  # of one host, tried in turn
_READ_BYTES: Final = 64 * 1024  # of an answer that nobody needs: more of it is not waited for
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # what a secret looks like (Standard Webhooks), not one
_SECRET_BYTES: Final = 32
# 429 and what stands before a server that is away: no other event would fare better now.
_NOT_NOW: Final = (
    HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT,
)  # fmt: skip

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


@dataclass(frozen=True, slots=True)
class Taken:
    """The receiver answered 2xx."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The receiver did not take the event; `down`: it would take no other one now."""

    error: str
    down: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """The receiver answered 410: it wants no more."""


Answer = Taken | NotTaken | Gone


class ClosedAddressError(OSError):
    """A host is not on the public internet; the message names it and its address."""


def new_secret() -> str:
    """Return a signing secret as Standard Webhooks writes it: whsec_ and 32 random bytes in base64."""
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signature(secret: str, webhook_id: str, timestamp: int, body: bytes) -> str:
    """Return the value of webhook-signature: v1, and the HMAC-SHA256 of id, timestamp and body.

    Args:
        secret: whsec_ and the key in base64.
        webhook_id: the event's.
        timestamp: seconds since 1970, of this call.
        body: as it is sent.
    """
    key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX))
    digest = hmac.digest(key, b".".join((webhook_id.encode(), str(timestamp).encode(), body)), hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


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


def endpoint_parts(url: str) -> SplitResult:
    """Return the parts of an endpoint's URL.

    Raises:
        ValueError: it is no https:// address of a host, or holds a user, a password or a fragment.
    """
    parts = urls.read(url, ("https",))
    urls.require_host(parts)
    if parts.username is not None or parts.fragment:
        raise ValueError("must hold no user, no password and no #")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("must be in ASCII: write the host as xn--…, and escape the rest with %")
    return parts


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


class _Connection(http.client.HTTPSConnection):
    """Connects to the addresses that were looked at, and expects the certificate of the host."""

    def __init__(self, parts: SplitResult, trusted: ssl.SSLContext, *, allow_private: bool) -> None:
        self._trusted = trusted
        self._allow_private = allow_private
        super().__init__(parts.hostname or "", parts.port or 443, timeout=_ANSWER_SECONDS, context=trusted)

    def connect(self) -> None:
        for address in addresses_of(self.host, self.port, allow_private=self._allow_private):
            try:
                plain = socket.create_connection((address, self.port), _CONNECT_SECONDS)
                break
            except OSError as error:
                refusal = error
        else:
            raise refusal
        plain.settimeout(_ANSWER_SECONDS)
        # Shaken hands with only when it is `sock`: the deadline watches over that one.
        secured = self._trusted.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock = secured
        secured.do_handshake()


class _WatchedConnection(Watched, _Connection):
    """Ends when its deadline is over."""


class WebhookCall:
    """An endpoint that is told of several events one after another, over one connection as long as it lasts."""

    def __init__(self, url: str, secret: str, trusted: ssl.SSLContext, *, allow_private: bool) -> None:
        """Prepare, without connecting.

        Args:
            url: https://…
            secret: what signs, see `signature`.
            trusted: whose certificates are.
            allow_private: whether the endpoint may be inside a private network.
        """
        parts = urlsplit(url)
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._secret = secret
        self._deadline = Deadline()
        self._connection = _WatchedConnection(self._deadline, parts, trusted, allow_private=allow_private)

    def __enter__(self) -> Self:
        self._deadline.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._deadline.__exit__(kind, error, trace)

    def tell(self, webhook_id: str, body: bytes) -> Answer:
        """Send one event, signed at this moment; whatever the other side does is an answer, never an exception."""
        timestamp = int(clock.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "p1-fleet-webhooks",
            "Idempotency-Key": webhook_id,
            "webhook-id": webhook_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._secret, webhook_id, timestamp, body),
        }
        self._deadline.restart(_DEADLINE_SECONDS)
        used_before = self._connection.sock is not None
        try:
            try:
                status = self._post(headers, body)
            except (ConnectionError, ssl.SSLEOFError):
                # An old connection may have been closed while nothing was said: that says nothing of the receiver.
                if not used_before:
                    raise
                self._connection.close()
                status = self._post(headers, body)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return NotTaken(_said(error), down=True)
        return _answer(status)

    def _post(self, headers: Mapping[str, str], body: bytes) -> int:
        self._connection.request("POST", self._target, body, dict(headers))
        response = self._connection.getresponse()
        # What ends with its connection, or is long, is not read: the status says all.
        if response.will_close or len(response.read(_READ_BYTES)) == _READ_BYTES:
            self._connection.close()
        response.close()
        return response.status


def _answer(status: int) -> Answer:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Taken()
    if status == HTTPStatus.GONE:
        return Gone()
    name = ""
    with suppress(ValueError):
        name = f" ({HTTPStatus(status).phrase})"
    redirect = ": redirects are not followed" if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST else ""
    return NotTaken(f"it answered {status}{name}{redirect}", down=status in _NOT_NOW)


def _said(error: Exception) -> str:
    match error:
        case ClosedAddressError():
            return str(error)
        case socket.gaierror():
            return f"its host cannot be looked up: {error.strerror}"
        case TimeoutError():
            return "it did not answer in time"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
    words: Any = getattr(error, "strerror", None) or str(error)
    return f"it cannot be reached: {' '.join(str(words).split())[:200] or type(error).__name__}"
