"""Threads that write and send what was claimed, each over a connection of its own.

While they do, the pass claims the next messages and records what became of the last. One thread is enough for a
receiver that is quick. Where it is slow, several of its answers are waited for at once.
"""

import contextvars
import logging
import queue
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from jinja2 import TemplateError

from workers import tracing
from workers.correspondence import Answered, reply_address
from workers.delivery.breaker import Breaker
from workers.delivery.channels import Blocked, Channel, Outcome, Rejected, RetryLater, Sent
from workers.delivery.message import Letter, SenderError, compose
from workers.delivery.mime import UnsendableError
from workers.delivery.texts import render
from workers.settings import Settings
from workers.stopping import stopping

logger = logging.getLogger(__name__)

Row = dict[str, Any]  # of claim_emails, with "facts"

# A thread waits when so many outcomes are not yet taken: what a crash repeats is bounded by it.
_MOST_WAITING: Final = 20
# While nothing arrives for so long, another connection is worth opening.
_SLOW_SECONDS: Final = 0.05
_HELD: Final = Blocked("the tenant's mail is refused at present")


class Result(NamedTuple):
    """What became of a claimed message: the outcome, None if it was not tried, and the letter, if one was written."""

    row: Row
    outcome: Outcome | None
    letter: Letter | None = None


class Senders:
    """Sends what it is given, and hands back a result for each.

    Nothing more is tried once the breaker says so, the worker is told to stop, `stop` was called, or a message was
    claimed too long ago: the rest comes back untried. An exception that is no message's own is kept in `failure`, and
    stops all.
    """

    def __init__(self, channel: Channel, settings: Settings, breaker: Breaker, patience: timedelta) -> None:
        """Take an open channel, what letters are written with, and how long after its claim a message may be sent."""
        self.in_hand = 0
        self.failure: BaseException | None = None
        self._channel, self._settings, self._breaker, self._patience = channel, settings, breaker, patience
        self._most = settings.fleet_smtp_connections
        self._rows: queue.SimpleQueue[tuple[Row, float] | None] = queue.SimpleQueue()
        self._results: queue.Queue[Result | BaseException] = queue.Queue(_MOST_WAITING)
        self._threads: list[threading.Thread] = []
        self._stopped = False
        self._has_sent = False  # before that, a second login would be refused as the first one is

    def __enter__(self) -> Self:
        """Begin with one thread."""
        self._begin(nullcontext(self._channel))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End when what is under way is through."""
        self.stop()
        while self.in_hand:
            self.next()
        for _ in self._threads:
            self._rows.put(None)
        for thread in self._threads:
            thread.join()

    def put(self, rows: Sequence[Row]) -> None:
        """Take what was just claimed."""
        end = time.monotonic() + self._patience.total_seconds()
        self.in_hand += len(rows)
        for row in rows:
            self._rows.put((row, end))

    def next(self) -> Result | None:
        """Return the next result; None if there is none for a while. More connections are opened then."""
        try:
            result = self._results.get(timeout=_SLOW_SECONDS)
        except queue.Empty:
            if self._has_sent and not self._rows.empty() and len(self._threads) < self._most:
                self._begin(self._channel.another())
            return None
        self.in_hand -= 1
        if isinstance(result, BaseException):
            self.failure = result
            return None
        self._has_sent = self._has_sent or isinstance(result.outcome, Sent)
        return result

    def stop(self) -> None:
        """Try nothing more."""
        self._stopped = True

    @property
    def have_stopped(self) -> bool:
        """Say whether nothing more is tried."""
        return self._stopped or self._breaker.down is not None or stopping()

    def _begin(self, opening: AbstractContextManager[Channel]) -> None:
        first = not self._threads
        context = contextvars.copy_context()  # it knows the fleet's clock
        thread = threading.Thread(target=context.run, args=(self._work, opening, first))
        self._threads.append(thread)
        thread.start()

    def _work(self, opening: AbstractContextManager[Channel], first: bool) -> None:  # noqa: FBT001  # by position, to a thread
        with opening as channel:
            while (taken := self._rows.get()) is not None:
                row, end = taken
                if self.have_stopped or time.monotonic() >= end:
                    self._results.put(Result(row, None))
                    continue
                try:
                    blocked = self._breaker.blocks(row["tenant_id"])
                    about = {"action": row["action_id"], "template": row["template"]}
                    with tracing.span("action", row["traceparent"], **about):
                        outcome, letter = (_HELD, None) if blocked else self._send(channel, row)
                except BaseException as error:  # noqa: BLE001  # it is raised again where the pass is
                    self.stop()
                    self._results.put(error)
                    continue
                if not first and isinstance(outcome, RetryLater) and outcome.channel_down:
                    # The server wants no further connection. Whether it is down at all, the first one finds out.
                    self._most = 1
                    self._rows.put(taken)
                    return
                self._breaker.note(row, outcome)
                self._results.put(Result(row, outcome, letter))

    def _send(self, channel: Channel, row: Row) -> tuple[Outcome, Letter | None]:
        """Render and send one claimed action; returns the outcome and the letter."""
        letter = None
        settings = self._settings
        try:
            text = render(row["template"], row["variables"], row["tenant_name"], row["facts"].wording)
            row["text_version"] = text.version
            letter = compose(
                text,
                action=row["action_id"],
                tenant=row["tenant_id"],
                tenant_name=row["tenant_name"],
                address=row["address"],
                from_name=row["from_name"] or row["tenant_name"],
                from_address=row["from_address"] or settings.fleet_mail_from,
                reply_to=_reply_to(row, settings),
                facts=row["facts"],
                public_url=settings.fleet_public_url,
            )
            with tracing.span("send"):
                return channel.send(letter), letter
        except TemplateError as error:
            return RetryLater(f"template {row['template']}: {error}"), None
        except SenderError as error:
            return RetryLater(str(error)), None
        except UnsendableError as error:
            return Rejected(str(error)), None
        except Exception as error:
            # One message's trouble, whatever it is, is not the others'.
            logger.exception("action %s cannot be sent", row["action_id"])
            return RetryLater(f"it cannot be sent: {type(error).__name__}: {error}"), letter


def _reply_to(row: Row, settings: Settings) -> str | None:
    domain, secret = settings.fleet_reply_domain, settings.fleet_reply_secret
    return reply_address(Answered(row["action_id"], row["tenant_id"]), domain, secret) if domain and secret else None
