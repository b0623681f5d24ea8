"""One call to a webhook endpoint: signed, over https, to an address on the public internet, never redirected."""

import base64
import hashlib
import hmac
import http.client
import secrets
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import SplitResult, urlsplit

from workers import clock, urls
from workers.deadline import Deadline, Watched
from workers.delivery.public_addresses import ClosedAddressError, addresses_of

_CONNECT_SECONDS: Final = 6  # shared by the addresses of a host: a worker that is told to stop has ten
_ANSWER_SECONDS: Final = 10  # from byte to byte
_DEADLINE_SECONDS: Final = 20  # for a call, from opening the connection to the last byte
_READ_BYTES: Final = 64 * 1024  # of an answer that nobody needs: more of it is not waited for
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # what a secret looks like (Standard Webhooks), not one
_SECRET_BYTES: Final = 32
# 429 and what stands before a server that is away: no other event would fare better now.
_NOT_NOW: Final = (
    HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT,
)  # fmt: skip


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


def require_reachable(url: str, *, allow_private: bool) -> None:
    """Make sure that an endpoint can be told anything.

    Raises:
        ValueError: the URL is none, or its host is unknown or not on the public internet; says what the URL must or is.
    """
    parts = endpoint_parts(url)
    try:
        addresses_of(parts.hostname or "", parts.port or 443, allow_private=allow_private)
    except OSError as error:
        raise ValueError(f"is of no use: {error.strerror or error}") from None


class _Connection(http.client.HTTPSConnection):
    """Connects to the addresses that were looked at, and expects the certificate of the host."""

    def __init__(self, parts: SplitResult, trusted: ssl.SSLContext, *, allow_private: bool) -> None:
        self._trusted = trusted
        self._allow_private = allow_private
        super().__init__(parts.hostname or "", parts.port or 443, timeout=_ANSWER_SECONDS, context=trusted)

    def connect(self) -> None:
        addresses = addresses_of(self.host, self.port, allow_private=self._allow_private)
        for address in addresses:
            try:
                plain = socket.create_connection((address, self.port), _CONNECT_SECONDS / len(addresses))
                break
            except OSError as error:
                refusal = error
        else:
            raise refusal
        plain.settimeout(_ANSWER_SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or each body waits for the receipt of its headers
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
