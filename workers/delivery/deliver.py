"""One pass of delivery: recover, file what is internal, send e-mail tenant by tenant while any is due, tell others."""

import logging
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import psycopg

from workers import tracing
from workers.db.session import Connection, transaction
from workers.delivery.breaker import Breaker
from workers.delivery.channels import Channel, MaildirChannel, SmtpChannel
from workers.delivery.facts import with_facts
from workers.delivery.forwarding import forward_all
from workers.delivery.holidays import keep_holidays
from workers.delivery.internal import file_all
from workers.delivery.senders import Senders
from workers.delivery.settlement import Settlement
from workers.delivery.webhooks import deliver_webhooks
from workers.errors import DatabaseUnavailableError
from workers.oauth import smtp_tokens
from workers.runtime import limits
from workers.settings import Settings
from workers.stopping import stopping

Reconnect = Callable[[], AbstractContextManager[Connection]]

logger = logging.getLogger(__name__)

# So many are claimed at first; then, as many as leave in this time: what the guards let go is not to lie long.
_CLAIM: Final = 50
_FEWEST: Final = 10
_MOST: Final = 100
_AHEAD: Final = timedelta(seconds=0.1)
_PER_TENANT: Final = 20  # turn by turn: nobody waits for the thousands of another
# What is not begun within a minute goes back. With that, a message's own 90 seconds, and a minute in which somebody
# keeps it from being recorded, a lease is over only if its holder is gone.
_SENDING: Final = timedelta(minutes=1)
_LEASE: Final = timedelta(minutes=4)
# A database that is gone in the middle of a pass is waited for this long: what was sent is to be recorded.
_RECONNECT: Final = timedelta(minutes=1)
_RECONNECT_SECONDS: Final = 0.5
# Then the pass ends, and the next minute's goes on: well under the limit at which Celery kills a task.
_BUDGET: Final = timedelta(minutes=10)
# A claim that loses to answers so often leaves the rest to the next minute's pass.
_TRIES: Final = 3
# Less than this is done sooner than a second connection would be worth.
_BACKLOG_SECONDS: Final = 5


def channel_for(settings: Settings) -> Channel:
    """Return SMTP where SMTP_URL is set, else the Maildir under FLEET_HOME."""
    if settings.smtp_url:
        return SmtpChannel(settings.smtp_url, smtp_tokens(settings))
    return MaildirChannel(settings.fleet_home / "mail")


def deliver(
    connection: Connection,
    channel: Channel,
    settings: Settings,
    *,
    on_backlog: Callable[[], None] | None = None,
    reconnect: Reconnect | None = None,
    webhooks: bool = True,
) -> Counter[str]:
    """Carry out every due action.

    Args:
        connection: outside any transaction.
        channel: the way out for e-mail.
        settings: the sender's, and how often a message is tried.
        on_backlog: called once, when sending has lasted five seconds and goes on.
        reconnect: opens another connection, where the first is lost while messages are on their way.
        webhooks: False tells no endpoint: for a simulation, of which nothing gets out.

    Returns:
        How many actions ended up in which status: filed (tasks and cases), sent, scheduled (to be tried
        again), failed, dead, skipped, cancelled; and how many events, see `deliver_webhooks`.
    """
    with limits.place(limits.DELIVERY, settings.fleet_concurrency) as taken:
        if not taken:  # the next minute's pass looks again
            logger.info("delivery: as many passes as may be at a time are under way")
            return Counter()
        return _deliver(connection, channel, settings, on_backlog, reconnect, webhooks=webhooks)


def _deliver(
    connection: Connection,
    channel: Channel,
    settings: Settings,
    on_backlog: Callable[[], None] | None,
    reconnect: Reconnect | None,
    *,
    webhooks: bool,
) -> Counter[str]:
    done: Counter[str] = Counter()
    keep_holidays(connection)
    with transaction(connection):
        connection.execute("SELECT expire_suggestions(), recover_actions(%s)", [settings.fleet_max_attempts])
    try:
        done += file_all(connection, settings.fleet_link_template)
    finally:  # whatever the CRM has against a task, the mail still goes out
        with channel:
            done += forward_all(connection, channel, settings)
            done += _send_emails(connection, channel, settings, on_backlog, reconnect)
    if webhooks:
        done += deliver_webhooks(connection, allow_private=settings.fleet_webhook_allow_private)
    if done:
        logger.info("delivery: %s", ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in sorted(done.items())))
    return done


def _claim(
    connection: Connection, owner: str, most: int, after: UUID | None, per_minute: int | None
) -> list[dict[str, Any]]:
    """Claim some e-mails of each tenant after one; a deadlock with an answer that comes in just then is tried again.

    Where all workers together send so many a minute at most, no more is claimed than has room in it.
    """
    for _ in range(_TRIES):
        try:
            with transaction(connection):
                limit = min(most, _room(connection, per_minute)[0]) if per_minute else most
                limits.heed_tenant_places(connection)
                claimed = connection.execute(
                    "SELECT * FROM claim_emails(%s, %s, %s, %s, %s)",
                    [owner, _LEASE, limit, _PER_TENANT, after],
                ).fetchall()
                if per_minute and claimed:
                    leave, last = sum(row["verdict"] is None for row in claimed), claimed[-1]["tenant_id"]
                    connection.execute("SELECT take_channel_room(%s, %s, %s)", [per_minute, leave, last])
                return _with_traces(connection, with_facts(connection, claimed))
        except psycopg.errors.DeadlockDetected:
            logger.info("the claim met an answer that came in: it is tried again")
    return []


def _with_traces(connection: Connection, claimed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let each action have the trace of the run that wrote it, if anybody keeps traces."""
    known = {}
    if tracing.are_kept():
        rows = connection.execute("SELECT * FROM traces_of(%s)", [[row["action_id"] for row in claimed]])
        known = {row["action_id"]: row["traceparent"] for row in rows}
    return [row | {"traceparent": known.get(row["action_id"])} for row in claimed]


def _room(connection: Connection, per_minute: int) -> tuple[int, UUID | None]:
    """Return how many messages may leave now, and whose were taken last."""
    row = connection.execute("SELECT * FROM channel_room(%s)", [per_minute]).fetchone()
    return (row["n"], row["last_tenant"]) if row else (0, None)


def _send_emails(
    connection: Connection,
    channel: Channel,
    settings: Settings,
    on_backlog: Callable[[], None] | None,
    reconnect: Reconnect | None,
) -> Counter[str]:
    """Send in rounds over the tenants, a few of each at a time, so that no tenant waits for another's bulk.

    What was claimed and not tried, whatever ends the pass, goes back as it was, at no cost of an attempt.
    """
    # A process may lose its lease and go on: what it reports of an earlier pass must not settle a later one.
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    breaker = Breaker()
    settlement = Settlement(connection, owner, settings.fleet_max_attempts, breaker)
    with Senders(channel, settings, breaker, _SENDING) as senders:
        try:
            per_minute = settings.fleet_smtp_per_minute if settings.smtp_url else None
            refused = _send_rounds(connection, owner, senders, settlement, on_backlog, per_minute=per_minute)
        except BaseException:
            senders.stop()
            raise
        finally:
            with ExitStack() as stack:
                try:
                    _finish(senders, settlement)
                except psycopg.OperationalError:
                    if reconnect is None or not connection.broken:
                        raise
                    settlement.connection = _reconnected(connection, reconnect, stack)
                    _finish(senders, settlement)
    if senders.failure is not None:
        raise senders.failure
    if breaker.down is not None:
        logger.warning("delivery stops for now: %s", breaker.down)
    return refused + settlement.done


def _send_rounds(
    connection: Connection,
    owner: str,
    senders: Senders,
    settlement: Settlement,
    on_backlog: Callable[[], None] | None,
    *,
    per_minute: int | None,
) -> Counter[str]:
    """Claim, and let the senders send, until none is due; returns what the guards refused."""
    refused: Counter[str] = Counter()
    most = _CLAIM
    after: UUID | None = None
    if per_minute:  # where there is room for few, not always for the same ones
        with transaction(connection):
            _, after = _room(connection, per_minute)
    begun = time.monotonic()
    is_through = False
    while not is_through and time.monotonic() - begun < _BUDGET.total_seconds() and not senders.have_stopped:
        claimed_at = time.monotonic()
        claimed = _claim(connection, owner, most, after, per_minute)
        # Of all tenants together fewer than any one of them may have in a claim: nobody has more.
        is_through = after is None and len(claimed) < min(most, _PER_TENANT)
        after = claimed[-1]["tenant_id"] if claimed else None
        refused.update(row["verdict"] for row in claimed if row["verdict"] is not None)
        before = senders.in_hand
        senders.put([row for row in claimed if row["verdict"] is None])
        _settle(senders, settlement, until=most // 2)  # the senders are not to wait for the next claim
        pace = (before + len(claimed) - senders.in_hand) / (time.monotonic() - claimed_at)
        most = min(max(_FEWEST, round(pace * _AHEAD.total_seconds())), _MOST)
        if on_backlog is not None and time.monotonic() - begun > _BACKLOG_SECONDS:
            on_backlog()
            on_backlog = None
    return refused


def _reconnected(lost: Connection, reconnect: Reconnect, stack: ExitStack) -> Connection:
    """Return another connection as soon as the database answers; the lost one if it does not within a minute."""
    end = time.monotonic() + _RECONNECT.total_seconds()
    while time.monotonic() < end and not stopping():
        try:
            return stack.enter_context(reconnect())
        except DatabaseUnavailableError:
            time.sleep(_RECONNECT_SECONDS)
    return lost


def _finish(senders: Senders, settlement: Settlement) -> None:
    """Record all that is left of a pass; what could not be recorded is there for another try."""
    _settle(senders, settlement, until=0)
    settlement.close()


def _settle(senders: Senders, settlement: Settlement, *, until: int) -> None:
    """Record results until no more than so many messages are in hand."""
    while senders.in_hand > until:
        result = senders.next()
        if result is None:
            settlement.record()
        elif result.outcome is None:
            settlement.give_back([result.row])
        else:
            settlement.add(result.row, result.outcome, result.letter)
