"""One pass of delivery: recover, file what is internal, then send e-mail tenant by tenant until none is due."""

import logging
import os
import random
import secrets
import socket
import time
from collections import Counter, deque
from datetime import timedelta
from email.message import EmailMessage
from typing import Any, Final
from uuid import UUID

from jinja2 import TemplateError
from psycopg.types.json import Jsonb

from workers import clock
from workers.backoff import next_attempt
from workers.correspondence import Answered, reply_address
from workers.db.session import REFUSALS, Connection, transaction
from workers.delivery.channels import (
    Blocked,
    Channel,
    MaildirChannel,
    Outcome,
    Rejected,
    RetryLater,
    Sent,
    SmtpChannel,
)
from workers.delivery.facts import with_facts
from workers.delivery.message import SenderError, UnsendableError, compose
from workers.delivery.render import Text, render, without_control_characters
from workers.insight.failures import Fault, read_codes
from workers.settings import Settings

logger = logging.getLogger(__name__)

_CLAIM: Final = 50
_PER_TENANT: Final = 10
_LEASE: Final = timedelta(minutes=10)
_LONGEST_REASON: Final = 1000
# What is not sent by half of the lease goes back: nobody else may have taken it over meanwhile.
_SENDING: Final = _LEASE / 2
# A tenant whose mail is refused for its own sake is not tried again before that.
_HOLD: Final = timedelta(minutes=15)
# Then the pass ends, and the next minute's goes on: well under the limit at which Celery kills a task.
_BUDGET: Final = timedelta(minutes=10)


def channel_for(settings: Settings) -> Channel:
    """Return SMTP where SMTP_URL is set, else the Maildir under FLEET_HOME."""
    return SmtpChannel(settings.smtp_url) if settings.smtp_url else MaildirChannel(settings.fleet_home / "mail")


def deliver(connection: Connection, channel: Channel, settings: Settings) -> Counter[str]:
    """Carry out every due action.

    Returns:
        How many actions ended up in which status: filed (tasks and cases), sent, scheduled (to be tried
        again), failed, dead, skipped, cancelled.
    """
    done: Counter[str] = Counter()
    with transaction(connection):
        connection.execute("SELECT recover_actions(%s)", [settings.fleet_max_attempts])
    try:
        while filed := _file_internal(connection):
            done += filed
    finally:  # whatever the CRM has against a task, the mail still goes out
        with channel:
            done += _send_emails(connection, channel, settings)
    if done:
        logger.info("delivery: %s", ", ".join(f"{n} {status}" for status, n in sorted(done.items())))
    return done


def _file_internal(connection: Connection) -> Counter[str]:
    """Write one batch of tasks and cases into the CRM, in the transaction that settles their actions."""
    with transaction(connection):
        claimed = with_facts(
            connection, connection.execute("SELECT * FROM claim_internal(%s, %s)", [500, 100]).fetchall()
        )
        done: Counter[str] = Counter(row["verdict"] for row in claimed if row["verdict"] is not None)
        texts = []
        for row in claimed:
            if row["verdict"] is None:
                text = _internal_text(row)
                texts.append({"id": row["action_id"], "title": text.subject, "body": text.body})
        filed = connection.execute("SELECT file_internal(%s) AS n", [Jsonb(texts)]).fetchone()
    done["filed"] = filed["n"] if filed else 0
    done["failed"] = len(texts) - done["filed"]
    return +done


def _internal_text(row: dict[str, Any]) -> Text:
    try:
        return render(row["template"], row["variables"], row["tenant_name"], row["facts"].wording)
    except Exception as error:  # noqa: BLE001  # the people concerned must hear of it even if the words are broken
        reason = f"The text could not be written ({type(error).__name__}: {error}).\n\n{row['variables']}"
        return Text(row["template"], without_control_characters(reason))


def _send_emails(connection: Connection, channel: Channel, settings: Settings) -> Counter[str]:
    """Send in rounds over the tenants, a few of each at a time, so that no tenant waits for another's bulk."""
    # A process may lose its lease and go on: what it reports of an earlier pass must not settle a later one.
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    done: Counter[str] = Counter()
    blocked: set[UUID] = set()
    after: UUID | None = None
    end = time.monotonic() + _BUDGET.total_seconds()
    while time.monotonic() < end:
        with transaction(connection):
            claimed = connection.execute(
                "SELECT * FROM claim_emails(%s, %s, %s, %s, %s)", [owner, _LEASE, _CLAIM, _PER_TENANT, after]
            ).fetchall()
            claimed = with_facts(connection, claimed)
        if not claimed:
            if after is None:
                break
            after = None
            continue
        done.update(row["verdict"] for row in claimed if row["verdict"] is not None)
        sent, down = _send_claimed(
            connection, owner, channel, [row for row in claimed if row["verdict"] is None], settings, blocked=blocked
        )
        done += sent
        if down:
            break
        after = claimed[-1]["tenant_id"]
    return done


def _send_claimed(
    connection: Connection,
    owner: str,
    channel: Channel,
    claimed: list[dict[str, Any]],
    settings: Settings,
    *,
    blocked: set[UUID],
) -> tuple[Counter[str], bool]:
    """Send claimed actions and settle each at once, so that a crash repeats one message and not a batch.

    When the channel is down, the lease half over, or the pass ended by whatever it is, the rest goes back as it was,
    at no cost of an attempt. A tenant whose mail is refused for a reason of its own joins `blocked`: the rest of its
    mail waits, and the others' goes out. If a second tenant's is refused as well, the channel is what both have in
    common.

    Returns:
        How many ended up in which status, and whether the channel is down.
    """
    done: Counter[str] = Counter()
    down = False
    end = time.monotonic() + _SENDING.total_seconds()
    untried = deque(claimed)
    try:
        while untried and not down and time.monotonic() < end:
            row = untried.popleft()
            held = row["tenant_id"] in blocked
            outcome, message = (_HELD, None) if held else _send(channel, row, settings)
            about = {"tenant": row["tenant_id"], "action": row["action_id"]}
            if isinstance(outcome, Blocked) and not held:
                blocked.add(row["tenant_id"])
                words = "mail of tenant %s is refused for its own sake: %s"
                logger.warning(words, row["tenant_id"], outcome.error, extra=about)
            down = (isinstance(outcome, RetryLater) and outcome.channel_down) or len(blocked) > 1
            result = _settlement(row, outcome, message, settings)
            done += _settle(connection, owner, result)
            if result["status"] in ("failed", "dead"):
                logger.warning("action %d is %s: %s", row["action_id"], result["status"], result["error"], extra=about)
            if isinstance(outcome, RetryLater | Blocked) and down:
                logger.warning("delivery stops for now: %s", outcome.error, extra=about)
    finally:
        if untried and not connection.broken:
            done += _settle(connection, owner, *map(_unsent, untried))
    return done, down


_HELD: Final = Blocked("the tenant's mail is refused at present")


def _send(channel: Channel, row: dict[str, Any], settings: Settings) -> tuple[Outcome, EmailMessage | None]:
    """Render and send one claimed action; returns the outcome and the message."""
    message = None
    try:
        message = compose(
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
        return channel.send(message, message["To"].addresses[0].addr_spec), message
    except TemplateError as error:
        return RetryLater(f"template {row['template']}: {error}"), None
    except SenderError as error:
        return RetryLater(str(error)), None
    except UnsendableError as error:
        return Rejected(str(error)), None
    except Exception as error:
        # One message's trouble, whatever it is, is not the others'.
        logger.exception("action %s cannot be sent", row["action_id"])
        return RetryLater(f"it cannot be sent: {type(error).__name__}: {error}"), message


def _settle(connection: Connection, owner: str, *results: dict[str, Any]) -> Counter[str]:
    """Record what became of claimed actions, and return how many ended up in which status.

    What the database refuses to record fails by itself: left under its lease, it would be sent again and again.
    """
    try:
        with transaction(connection):
            connection.execute("SELECT settle_emails(%s, %s)", [owner, Jsonb(results)])
        return Counter(result["status"] for result in results)
    except REFUSALS as error:
        if len(results) > 1:
            return sum((_settle(connection, owner, result) for result in results), Counter())
        (result,) = results
        logger.exception("action %s cannot be recorded as %s", result["id"], result["status"])
        if "unrecorded" in result:
            return Counter()
        reason = _storable(f"it is {result['status']}, but the database refuses to record that: {error}")
        failed = {"id": result["id"], "status": "failed", "error": reason, "unrecorded": True}
        return _settle(connection, owner, failed)


def _reply_to(row: dict[str, Any], settings: Settings) -> str | None:
    domain, secret = settings.fleet_reply_domain, settings.fleet_reply_secret
    return reply_address(Answered(row["action_id"], row["tenant_id"]), domain, secret) if domain and secret else None


def _unsent(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["action_id"], "status": "scheduled", "unsent": True}


def _settlement(
    row: dict[str, Any], outcome: Outcome, message: EmailMessage | None, settings: Settings
) -> dict[str, Any]:
    result = {"id": row["action_id"], "address": row["address"]}
    if message is not None:
        result |= {"message_id": message["Message-ID"], "subject": message["Subject"]}
    match outcome:
        case Sent():
            return result | {"status": "sent"}
        case Blocked(error):
            return _unsent(row) | {"error": _storable(error), "run_at": (clock.now() + _HOLD).isoformat()}
        case Rejected(error, fault):
            return result | {"status": "failed", "error": _storable(error), "failure": _failure(error, fault)}
        case RetryLater(error, channel_down=True):
            # Not this message's failure: however long the channel is away, no message dies of it.
            return _unsent(row) | {"error": _storable(error)}
        case RetryLater(error, fault=fault) if row["attempts"] >= settings.fleet_max_attempts:
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
