"""One pass over the webhooks: claim what is due, tell each endpoint, settle; endpoints side by side, events in turn."""

import json
import logging
import os
import random
import secrets
import socket
import ssl
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from workers import clock
from workers.backoff import next_attempt
from workers.db.session import Connection, transaction
from workers.delivery.webhook_call import Answer, Gone, NotTaken, Taken, WebhookCall
from workers.stopping import stopping

logger = logging.getLogger(__name__)

Row = Mapping[str, Any]  # of claim_webhooks

_CLAIM: Final = 400
_SIDE_BY_SIDE: Final = 8  # endpoints: one that hangs keeps no other waiting
_LEASE: Final = timedelta(minutes=10)
_TURN_SECONDS: Final = 60  # for the events of one endpoint in a claim: well under the lease
_BUDGET_SECONDS: Final = 120  # then the pass ends, and the next minute's goes on
# So many failures in a row are no longer the events' doing: the circuit opens.
_FAILURES: Final = 5


@dataclass(slots=True)
class _Turn:
    """What became of the events of one endpoint, and how the endpoint stands."""

    endpoint: UUID
    failures: int
    answers: list[tuple[Row, Answer | None]] = field(default_factory=list)  # None: not tried
    gone: bool = False
    down: bool = False


def deliver_webhooks(connection: Connection, *, allow_private: bool) -> Counter[str]:
    """Tell every endpoint what it waits for and is due.

    Args:
        connection: outside any transaction.
        allow_private: whether endpoints may be inside a private network.

    Returns:
        How many events were taken (events_delivered), wait for another attempt (events_pending), or were given up
        (events_dead).
    """
    done: Counter[str] = Counter()
    with transaction(connection):
        connection.execute("SELECT sweep_webhooks()")
    # What a process that lost its lease reports of an earlier pass must not settle a later one.
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    first = after = UUID(int=0)
    trusted: ssl.SSLContext | None = None
    begun = time.monotonic()
    while time.monotonic() - begun < _BUDGET_SECONDS and not stopping():
        with transaction(connection):
            claimed = connection.execute(
                "SELECT * FROM claim_webhooks(%s, %s, %s, %s)", [owner, _LEASE, _CLAIM, after]
            ).fetchall()
        if claimed:
            trusted = trusted or ssl.create_default_context()
            done += _tell_all(connection, owner, claimed, trusted, allow_private=allow_private)
            after = claimed[-1]["endpoint_id"]
        elif after == first:
            break
        else:
            after = first
    return done


def _tell_all(
    connection: Connection, owner: str, claimed: Sequence[Row], trusted: ssl.SSLContext, *, allow_private: bool
) -> Counter[str]:
    done: Counter[str] = Counter()
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        turns: list[Future[_Turn]] = [
            pool.submit(copy_context().run, _take_turn, list(rows), trusted, allow_private)
            for _, rows in groupby(claimed, key=lambda row: row["endpoint_id"])
        ]
        for turn in as_completed(turns):  # what is through is settled while others still wait
            done += _settle(connection, owner, turn.result())
    return done


def _take_turn(rows: Sequence[Row], trusted: ssl.SSLContext, allow_private: bool) -> _Turn:  # noqa: FBT001  # run by a pool
    """Tell one endpoint of its events until it answers no more; the rest is not tried."""
    first = rows[0]
    turn = _Turn(first["endpoint_id"], first["failures"])
    end = time.monotonic() + _TURN_SECONDS
    with WebhookCall(first["url"], first["secret"], trusted, allow_private=allow_private) as call:
        for row in rows:
            if turn.gone or turn.down or time.monotonic() > end or stopping():
                turn.answers.append((row, None))
                continue
            answer = call.tell(row["webhook_id"], body_of(row["payload"]))
            turn.answers.append((row, answer))
            turn.failures = 0 if isinstance(answer, Taken) else turn.failures + 1
            turn.gone = isinstance(answer, Gone)
            turn.down = turn.failures >= _FAILURES or (isinstance(answer, NotTaken) and answer.down)
    return turn


def _settle(connection: Connection, owner: str, turn: _Turn) -> Counter[str]:
    if turn.gone:
        logger.warning("webhook endpoint %s is gone (410) and is switched off", turn.endpoint)
    elif turn.down:
        error = next(answer.error for _, answer in reversed(turn.answers) if isinstance(answer, NotTaken))
        logger.warning("webhook endpoint %s is left alone for now: %s", turn.endpoint, error)
    open_until = next_attempt(clock.now(), turn.failures, random.random()) if turn.down else None  # noqa: S311
    endpoint = {
        "id": str(turn.endpoint),
        "failures": turn.failures,
        "retry_at": open_until.isoformat() if open_until else None,
        "gone": turn.gone,
    }
    results = [_result(row, answer) for row, answer in turn.answers]
    with transaction(connection):
        counts = connection.execute(
            "SELECT * FROM settle_webhooks(%s, %s, %s)", [owner, Jsonb(results), Jsonb([endpoint])]
        ).fetchall()
    return Counter({f"events_{row['status']}": row["n"] for row in counts})


def _result(row: Row, answer: Answer | None) -> dict[str, Any]:
    """Return what `settle_webhooks` is told of one event."""
    result = {"id": row["delivery_id"], "delivered": isinstance(answer, Taken), "unsent": answer is None}
    if isinstance(answer, NotTaken | Gone):
        again = next_attempt(clock.now(), row["attempts"], random.random())  # noqa: S311  # jitter, no secret
        error = answer.error if isinstance(answer, NotTaken) else "it answered 410 (gone)"
        result |= {"error": error, "run_at": again.isoformat()}
    return result


def body_of(payload: Mapping[str, Any]) -> bytes:
    """Return an event as it is sent and signed: the same bytes each time."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
