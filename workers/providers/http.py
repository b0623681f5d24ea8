"""One JSON call to a provider: timeouts, a bounded answer, a quick second try where nothing can have been spent."""

import json
import random
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final, Literal

import httpx

from workers import clock
from workers.providers.base import Refused, Unavailable, Window

_TIMEOUT: Final = httpx.Timeout(20.0, connect=5.0)
_WHOLE_ANSWER_SECONDS: Final = 30.0  # a timeout counts from byte to byte; this bounds a server that drips
_LARGEST_ANSWER: Final = 4 * 1024 * 1024
_TRIES: Final = 3
_FIRST_PAUSE_SECONDS: Final = 0.5
_SHORTEST_WAIT: Final = timedelta(seconds=1)
_LONGEST_WAIT: Final = timedelta(days=1)
_KEY_REFUSED_WAIT: Final = timedelta(hours=1)
_WINDOWS: Final[Mapping[str, tuple[Literal["minute", "hour", "day"], timedelta]]] = {
    "x-minute-requests-left": ("minute", timedelta(minutes=1)),
    "x-hourly-requests-left": ("hour", timedelta(hours=1)),
    "x-daily-requests-left": ("day", timedelta(days=1)),
    "x-24-hour-requests-left": ("day", timedelta(days=1)),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a call.

    Attributes:
        result: the decoded JSON object, or why there is none.
        windows: what the headers said of the provider's windows.
        spent: whether the provider may have charged for it: it answered, or may have worked and we did not hear.
        passing: whether another try at once may help: its server stumbled, or was not reached.
    """

    result: Mapping[str, Any] | Unavailable | Refused
    windows: Sequence[Window]
    spent: bool
    passing: bool = False


def call(
    name: str,
    url: str,
    *,
    headers: Mapping[str, str],
    payload: Mapping[str, Any],
    key_setting: str,
    sleep: Callable[[float], None] = time.sleep,
) -> Reply:
    """POST JSON and return what came of it.

    A server error, or a connection that could not be made, is tried again at once, with exponential pauses and
    jitter. A timeout is not: the provider may have done and charged the work.

    Args:
        name: the provider's, for messages.
        url: where to.
        headers: the key among them.
        payload: the JSON object to send.
        key_setting: the setting that holds the key, named when the provider refuses it.
        sleep: how to wait between tries.
    """
    reply = _once(name, url, headers, payload, key_setting)
    for attempt in range(1, _TRIES):
        if not reply.passing or any(window.calls_left == 0 for window in reply.windows):
            break
        sleep(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * (0.5 + random.random()))  # noqa: S311  # jitter, no secret
        reply = _once(name, url, headers, payload, key_setting)
    return reply


def _once(name: str, url: str, headers: Mapping[str, str], payload: Mapping[str, Any], key_setting: str) -> Reply:
    try:
        # A client per call: calls are seconds apart, and no connection outlives a fork.
        with (
            httpx.Client(timeout=_TIMEOUT, verify=_tls()) as client,
            client.stream("POST", url, headers={**headers, "Accept": "application/json"}, json=payload) as response,
        ):
            body = _body(response)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        return Reply(Unavailable(f"{name} cannot be reached: {_said(error)}"), (), spent=False, passing=True)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, _TooMuchError) as error:
        return Reply(Unavailable(f"{name} gave no answer: {_said(error)}"), (), spent=True)
    return _read(name, response, body, key_setting)


class _TooMuchError(Exception):
    """An answer is larger, or takes longer, than any honest one."""


def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    end = time.monotonic() + _WHOLE_ANSWER_SECONDS
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise _TooMuchError(f"more than {_LARGEST_ANSWER} bytes")
        if time.monotonic() > end:
            raise _TooMuchError(f"not complete after {_WHOLE_ANSWER_SECONDS:.0f} seconds")
    return bytes(body)


def _read(name: str, response: httpx.Response, body: bytes, key_setting: str) -> Reply:
    windows, status, now = _windows(response.headers), response.status_code, clock.now()
    match status:
        case 200:
            try:
                result = json.loads(body)
            except (ValueError, RecursionError):
                result = None
            if isinstance(result, dict):
                return Reply(result, windows, spent=True)
            return Reply(Unavailable(f"{name} answered with something that is no JSON object"), windows, spent=True)
        case 429:
            reason = f"{name} asks to slow down (429)"
            return Reply(Unavailable(reason, _retry_at(response.headers, now) or _end(windows)), windows, spent=False)
        case 401 | 403:
            reason = f"{name} refuses the key ({status}): check {key_setting}"
            return Reply(Unavailable(reason, now + _KEY_REFUSED_WAIT), windows, spent=False)
        case 400 | 413 | 422:
            return Reply(Refused(f"{name} refuses the request ({status})"), windows, spent=False)
    retry_at = _retry_at(response.headers, now)
    passing = response.is_server_error and retry_at is None
    return Reply(Unavailable(f"{name} answered {status}", retry_at), windows, spent=False, passing=passing)


def _windows(headers: httpx.Headers) -> tuple[Window, ...]:
    """Read the windows; each has ended for certain when its whole length has passed, whenever it began."""
    now = clock.now()
    found = []
    for header, (name, length) in _WINDOWS.items():
        value = headers.get(header, "").strip()
        if value.isascii() and value.isdigit() and len(value) < 10:  # noqa: PLR2004  # fits an integer
            found.append(Window(name, int(value), now + length))
    return tuple(found)


def _end(windows: Sequence[Window]) -> datetime | None:
    return max((window.ends_at for window in windows if window.calls_left == 0), default=None)


def _retry_at(headers: httpx.Headers, now: datetime) -> datetime | None:
    """Read Retry-After, in seconds or as a date (RFC 9110); bounded, so that no header can stop a provider for ever."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        wait = timedelta(seconds=min(int(value[:9]), _LONGEST_WAIT.total_seconds()))
    else:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        wait = (date if date.tzinfo else date.replace(tzinfo=UTC)) - now
    return now + min(max(wait, _SHORTEST_WAIT), _LONGEST_WAIT)


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


@cache
def _tls() -> ssl.SSLContext:
    """Read the certificates once per process; it takes longer than a call."""
    return httpx.create_ssl_context()
