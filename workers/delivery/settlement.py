"""What became of claimed e-mails, recorded in groups: one commit for many costs the database little more than one."""

import logging
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb

from workers import clock
from workers.backoff import next_attempt
from workers.db.session import LOCKED_OUT, REFUSALS, Connection, transaction
from workers.delivery.breaker import Breaker
from workers.delivery.channels import Blocked, Outcome, Rejected, RetryLater, Sent
from workers.delivery.message import Letter
from workers.delivery.texts import without_control_characters
from workers.insight.failures import Fault, read_codes
from workers.stopping import stopping

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]  # of claim_emails

# A crash repeats what was sent and not yet recorded: at most so many, sent within so many seconds.
_GROUP: Final = 20
_GROUP_SECONDS: Final = 0.1
# So many refusals in a row, and the breaker is still closed: they are one domain's.
_MOST_REFUSED: Final = 50
# While somebody holds the outbox, or the disk is full, what was sent waits to be recorded: five seconds each time.
_TRIES: Final = 12
_PAUSE_SECONDS: Final = 5
# A tenant whose mail is refused for its own sake is not tried again before that.
_HOLD: Final = timedelta(minutes=15)
_BEHIND: Final = timedelta(minutes=1)
_LONGEST_REASON: Final = 1000


class Settlement:
    """Collects the outcomes of a pass and records them in groups.

    A refusal waits until a message is taken, or the pass is through: if the breaker opens first, it spoke of
    the channel, and the message is tried again.
    """

    def __init__(self, connection: Connection, owner: str, most_attempts: int, breaker: Breaker) -> None:
        """Take the outside of a transaction, the holder of the lease, and what knows of all refusals."""
        self.done: Counter[str] = Counter()
        self.connection, self.breaker = connection, breaker
        self._owner = owner
        self._most_attempts = most_attempts
        self._group: list[dict[str, Any]] = []
        self._began = time.monotonic()
        self._refused: list[tuple[Row, Rejected, Letter | None]] = []
        self._waiting: Counter[str] = Counter()

    def add(self, row: Row, outcome: Outcome, letter: Letter | None) -> None:
        """Take what became of one message; records the group if it is full or has waited long enough."""
        if isinstance(outcome, Rejected):
            self._refused.append((row, outcome, letter))
            if len(self._refused) >= _MOST_REFUSED:
                self._believe()
        else:
            if isinstance(outcome, Sent):
                self._believe()
            self._put(row, outcome, letter)
        if len(self._group) >= _GROUP or time.monotonic() - self._began > _GROUP_SECONDS:
            self.record()

    def give_back(self, rows: Sequence[Row]) -> None:
        """Let what was never tried be as it was, at no cost of an attempt."""
        self._group += map(unsent, rows)

    def close(self) -> None:
        """Record all that is left."""
        if self.breaker.is_open:
            for row, refusal, letter in self._refused:
                again = RetryLater(f"everybody is refused at present: {refusal.error}", fault=refusal.fault)
                self._put(row, again, letter)
            self._refused.clear()
        self._believe()
        self.record()
        for reason, number in self._waiting.items():  # one line for all that a broken template keeps
            logger.warning("%d messages are tried again: %s", number, reason)

    def _believe(self) -> None:
        for row, refusal, letter in self._refused:
            self._put(row, refusal, letter)
        self._refused.clear()

    def _put(self, row: Row, outcome: Outcome, letter: Letter | None) -> None:
        result = _result(row, outcome, letter, self._most_attempts)
        if isinstance(outcome, RetryLater) and not outcome.channel_down and outcome.fault is None:
            self._waiting[outcome.error] += 1
        if result["status"] in ("failed", "dead"):
            about = {"tenant": row["tenant_id"], "action": row["action_id"]}
            logger.warning("action %d is %s: %s", row["action_id"], result["status"], result["error"], extra=about)
        if not self._group:
            self._began = time.monotonic()
        self._group.append(result)

    def record(self) -> None:
        """Record what waits, but for refusals."""
        if self._group:
            self.done += _settle(self.connection, self._owner, self._group)
            self._group = []


def unsent(row: Row) -> dict[str, Any]:
    """Return the result of a message that was claimed and never tried."""
    return {"id": row["action_id"], "status": "scheduled", "unsent": True}


def _settle(connection: Connection, owner: str, results: Sequence[dict[str, Any]]) -> Counter[str]:
    """Record what became of claimed actions, and return how many ended up in which status.

    What the database refuses to record fails by itself: left under its lease, it would be sent again and again. What
    takes it longer than it may is halved, and what somebody keeps it from is tried again for a minute.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            with transaction(connection):
                connection.execute("SELECT settle_emails(%s, %s)", [owner, Jsonb(results)])
            return Counter(result["status"] for result in results)
        except LOCKED_OUT:
            if attempt == _TRIES:
                raise
        except psycopg.errors.DiskFull:
            if attempt == _TRIES or stopping():
                raise
            time.sleep(_PAUSE_SECONDS)
        except (*REFUSALS, psycopg.errors.QueryCanceled) as error:
            if len(results) > 1:
                half = len(results) // 2
                return _settle(connection, owner, results[:half]) + _settle(connection, owner, results[half:])
            return _settle_refused(connection, owner, results[0], error)
    raise AssertionError  # the last attempt returned or raised


def _settle_refused(connection: Connection, owner: str, result: dict[str, Any], error: psycopg.Error) -> Counter[str]:
    logger.error("action %s cannot be recorded as %s", result["id"], result["status"], exc_info=error)
    if "unrecorded" in result:
        return Counter()
    reason = _storable(f"it is {result['status']}, but the database refuses to record that: {error}")
    return _settle(connection, owner, [{"id": result["id"], "status": "failed", "error": reason, "unrecorded": True}])


def _result(row: Row, outcome: Outcome, letter: Letter | None, most_attempts: int) -> dict[str, Any]:
    """Return what `settle_emails` is told of one message."""
    result = {"id": row["action_id"], "address": row["address"]}
    if letter is not None:
        result |= {"message_id": letter.message_id, "subject": letter.subject}
        result["text_version"] = row["text_version"]
    match outcome:
        case Sent():
            return result | {"status": "sent", "body": letter and letter.text}
        case Blocked(error):
            # What was refused is tried after what only waited for it: if the fault is its own, the rest goes out.
            again = clock.now() + (_HOLD if letter is None else _HOLD + _BEHIND)
            return unsent(row) | {"error": _storable(error), "run_at": again.isoformat()}
        case Rejected(error, fault):
            return result | {"status": "failed", "error": _storable(error), "failure": _failure(error, fault)}
        case RetryLater(error, channel_down=True, fault=None):
            # Not this message's failure: however long the channel is away, no message dies of it.
            return unsent(row) | {"error": _storable(error)}
        case RetryLater(error, fault=fault) if row["attempts"] >= most_attempts:
            return result | {"status": "dead", "error": _storable(error), "failure": _failure(error, fault)}
        case RetryLater(error):
            again = next_attempt(clock.now(), row["attempts"], random.random())  # noqa: S311  # jitter, no secret
            return result | {"status": "scheduled", "error": _storable(error), "run_at": again.isoformat()}


def _failure(error: str, fault: Fault | None) -> dict[str, Any] | None:
    """What a mail server's final answer is noted as; None if it never said anything."""
    if fault is None:
        return None
    code, enhanced = read_codes(error)
    return {"whose": fault.whose, "cause": fault.cause, "status": enhanced or (str(code) if code else None)}


def _storable(error: str) -> str:
    """Return a reason as the database can hold it; a receiver's words may be anything."""
    return without_control_characters(error)[:_LONGEST_REASON]
