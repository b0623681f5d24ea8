"""One pass of delivery: recover, file what is internal, then send e-mail tenant by tenant until none is due."""

import logging
import os
import secrets
import socket
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from jinja2 import TemplateError

from workers.correspondence import Answered, reply_address
from workers.db.session import Connection, transaction
from workers.delivery.breaker import Breaker
from workers.delivery.channels import Blocked, Channel, MaildirChannel, Outcome, Rejected, RetryLater, SmtpChannel
from workers.delivery.facts import with_facts
from workers.delivery.holidays import keep_holidays
from workers.delivery.internal import file_all
from workers.delivery.message import Letter, SenderError, compose
from workers.delivery.mime import UnsendableError
from workers.delivery.settlement import Settlement
from workers.delivery.texts import render
from workers.settings import Settings
from workers.stopping import stopping

logger = logging.getLogger(__name__)

_CLAIM: Final = 50
_PER_TENANT: Final = 10
_LEASE: Final = timedelta(minutes=10)
# What is not sent by half of the lease goes back: nobody else may have taken it over meanwhile.
_SENDING: Final = _LEASE / 2
# Then the pass ends, and the next minute's goes on: well under the limit at which Celery kills a task.
_BUDGET: Final = timedelta(minutes=10)
# A claim that loses to answers so often leaves the rest to the next minute's pass.
_TRIES: Final = 3
# Less than this is done sooner than a second connection would be worth.
_BACKLOG_SECONDS: Final = 5


def channel_for(settings: Settings) -> Channel:
    """Return SMTP where SMTP_URL is set, else the Maildir under FLEET_HOME."""
    return SmtpChannel(settings.smtp_url) if settings.smtp_url else MaildirChannel(settings.fleet_home / "mail")


def deliver(
    connection: Connection, channel: Channel, settings: Settings, *, on_backlog: Callable[[], None] | None = None
) -> Counter[str]:
    """Carry out every due action.

    Args:
        connection: outside any transaction.
        channel: the way out for e-mail.
        settings: the sender's, and how often a message is tried.
        on_backlog: called once, when sending has lasted five seconds and goes on.

    Returns:
        How many actions ended up in which status: filed (tasks and cases), sent, scheduled (to be tried
        again), failed, dead, skipped, cancelled.
    """
    done: Counter[str] = Counter()
    keep_holidays(connection)
    with transaction(connection):
        connection.execute("SELECT expire_suggestions(), recover_actions(%s)", [settings.fleet_max_attempts])
    try:
        done += file_all(connection)
    finally:  # whatever the CRM has against a task, the mail still goes out
        with channel:
            done += _send_emails(connection, channel, settings, on_backlog)
    if done:
        logger.info("delivery: %s", ", ".join(f"{n} {status}" for status, n in sorted(done.items())))
    return done


def _claim(connection: Connection, owner: str, after: UUID | None) -> list[dict[str, Any]]:
    """Claim some e-mails of each tenant after one; a deadlock with an answer that comes in just then is tried again."""
    for _ in range(_TRIES):
        try:
            with transaction(connection):
                claimed = connection.execute(
                    "SELECT * FROM claim_emails(%s, %s, %s, %s, %s)", [owner, _LEASE, _CLAIM, _PER_TENANT, after]
                ).fetchall()
                return with_facts(connection, claimed)
        except psycopg.errors.DeadlockDetected:
            logger.info("the claim met an answer that came in: it is tried again")
    return []


def _send_emails(
    connection: Connection, channel: Channel, settings: Settings, on_backlog: Callable[[], None] | None
) -> Counter[str]:
    """Send in rounds over the tenants, a few of each at a time, so that no tenant waits for another's bulk."""
    # A process may lose its lease and go on: what it reports of an earlier pass must not settle a later one.
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    done: Counter[str] = Counter()
    blocked: set[UUID] = set()
    breaker = Breaker()
    after: UUID | None = None
    begun = time.monotonic()
    while time.monotonic() - begun < _BUDGET.total_seconds() and not stopping():
        claimed = _claim(connection, owner, after)
        if not claimed:
            if after is None:
                break
            after = None
            continue
        done.update(row["verdict"] for row in claimed if row["verdict"] is not None)
        settlement = Settlement(connection, owner, settings.fleet_max_attempts, breaker)
        wanted = [row for row in claimed if row["verdict"] is None]
        down = _send_claimed(settlement, channel, wanted, settings, blocked=blocked)
        done += settlement.done
        if down is not None:
            logger.warning("delivery stops for now: %s", down)
            break
        after = claimed[-1]["tenant_id"]
        if on_backlog is not None and time.monotonic() - begun > _BACKLOG_SECONDS:
            on_backlog()
            on_backlog = None
    return done


def _send_claimed(
    settlement: Settlement, channel: Channel, claimed: list[dict[str, Any]], settings: Settings, *, blocked: set[UUID]
) -> str | None:
    """Send claimed actions and settle them.

    When the channel is down, the lease half over, the worker told to stop, or the pass ended by whatever it is, the
    rest goes back as it was, at no cost of an attempt. A tenant whose mail is refused for a reason of its own joins
    `blocked`: the rest of its mail waits, and the others' goes out. If a second tenant's is refused as well, the
    channel is what both have in common.

    Returns:
        Why the channel is down, if it is.
    """
    end = time.monotonic() + _SENDING.total_seconds()
    untried = deque(claimed)
    down = None
    try:
        while untried and down is None and time.monotonic() < end and not stopping():
            row = untried.popleft()
            held = row["tenant_id"] in blocked
            outcome, letter = (_HELD, None) if held else _send(channel, row, settings)
            if isinstance(outcome, Blocked) and not held:
                blocked.add(row["tenant_id"])
                words = "mail of tenant %s is refused for its own sake: %s"
                about = {"tenant": row["tenant_id"], "action": row["action_id"]}
                logger.warning(words, row["tenant_id"], outcome.error, extra=about)
            settlement.add(row, outcome, letter)
            down = _why_down(outcome, blocked, settlement.breaker)
    finally:
        if not settlement.connection.broken:
            settlement.give_back(untried)
            settlement.close()
    return down


def _why_down(outcome: Outcome, blocked: set[UUID], breaker: Breaker) -> str | None:
    match outcome:
        case RetryLater(error, channel_down=True):
            return error
        case Blocked(error) if len(blocked) > 1:
            return error
        case Rejected(error) if breaker.is_open:
            return f"everybody is refused: {error}"
    return None


_HELD: Final = Blocked("the tenant's mail is refused at present")


def _send(channel: Channel, row: dict[str, Any], settings: Settings) -> tuple[Outcome, Letter | None]:
    """Render and send one claimed action; returns the outcome and the letter."""
    letter = None
    try:
        letter = compose(
            render(row["template"], row["variables"], row["tenant_name"], row["facts"].wording),
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


def _reply_to(row: dict[str, Any], settings: Settings) -> str | None:
    domain, secret = settings.fleet_reply_domain, settings.fleet_reply_secret
    return reply_address(Answered(row["action_id"], row["tenant_id"]), domain, secret) if domain and secret else None
