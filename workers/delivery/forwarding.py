"""Forwards: the mail of somebody who answered, handed on as it came to the tenant's own people."""

import logging
import os
import secrets
import socket
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any, Final
from uuid import UUID

from jinja2 import TemplateError

from workers import clock
from workers.correspondence import Answered, message_id
from workers.db.session import Connection, transaction
from workers.delivery.breaker import Breaker
from workers.delivery.channels import Channel, Outcome, Rejected, RetryLater
from workers.delivery.message import Letter, SenderError, address_of, header_text, parties
from workers.delivery.mime import UnsendableError
from workers.delivery.settlement import Settlement
from workers.delivery.texts import Text, render, without_control_characters
from workers.settings import Settings
from workers.stopping import stopping

logger = logging.getLogger(__name__)

_CLAIM: Final = 5  # mails are held in memory whole
_LONGEST_LINE: Final = 998  # that mail may have (RFC 5322, 2.1.1)
_LEASE: Final = timedelta(minutes=20)  # a claim of slow ones may take as long as each may


def forward_all(connection: Connection, channel: Channel, settings: Settings) -> Counter[str]:
    """Forward every mail that is due; returns how many actions ended up in which status.

    Args:
        connection: outside any transaction.
        channel: the way out, open.
        settings: the sender's, and how often a message is tried.
    """
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    done: Counter[str] = Counter()
    while not stopping():
        with transaction(connection):
            claimed = connection.execute("SELECT * FROM claim_forwards(%s, %s, %s)", [owner, _LEASE, _CLAIM]).fetchall()
        if not claimed:
            break
        done.update(row["verdict"] for row in claimed if row["verdict"] is not None)
        settlement = Settlement(connection, owner, settings.fleet_max_attempts, Breaker())
        is_down = _forward_claimed(settlement, channel, [row for row in claimed if row["verdict"] is None], settings)
        done += settlement.done
        if is_down:
            break
    return done


def _forward_claimed(
    settlement: Settlement, channel: Channel, claimed: list[dict[str, Any]], settings: Settings
) -> bool:
    """Send claimed forwards and settle them; returns whether the channel is down, and the rest waits."""
    for place, row in enumerate(claimed, start=1):
        outcome, letter = _send(channel, row, settings)
        settlement.add(row, outcome, letter)
        if isinstance(outcome, RetryLater) and outcome.channel_down:
            settlement.give_back(claimed[place:])
            settlement.close()
            return True
    settlement.close()
    return False


def _send(channel: Channel, row: dict[str, Any], settings: Settings) -> tuple[Outcome, Letter | None]:
    letter = None
    try:
        text = _text(row)
        row["text_version"] = text.version
        letter = _compose(
            text,
            row["raw"],
            action=row["action_id"],
            tenant=row["tenant_id"],
            address=row["address"],
            from_name=row["from_name"] or row["tenant_name"],
            from_address=row["from_address"] or settings.fleet_mail_from,
            answer_to=row["variables"]["answer_to"],
        )
        return channel.send(letter), letter
    except (SenderError, TemplateError) as error:
        return RetryLater(str(error)), None
    except UnsendableError as error:
        return Rejected(str(error)), None
    except Exception as error:
        # One mail's trouble, whatever it is, is not the others'.
        logger.exception("mail cannot be forwarded by action %s", row["action_id"])
        return RetryLater(f"it cannot be forwarded: {type(error).__name__}: {error}"), letter


def _compose(
    text: Text,
    original: bytes,
    *,
    action: int,
    tenant: UUID,
    address: str,
    from_name: str | None,
    from_address: str,
    answer_to: str,
) -> Letter:
    """Build the message that hands somebody's mail on to the tenant's own people, whole and as an attachment.

    Whoever answers it answers the writer, and no machine answers it at all.

    Raises:
        SenderError: the sender's address is none.
        UnsendableError: the recipient's address is none.
    """
    sender, recipient = parties(from_address, from_name, address)
    message = EmailMessage(SMTP)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = header_text(text.subject)
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = message_id(Answered(action, tenant), sender.domain)
    with suppress(ValueError):  # somebody at no address is answered some other way
        message["Reply-To"] = address_of(answer_to)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834
    message["X-Auto-Response-Suppress"] = "All"  # the same for Exchange
    message.set_content(without_control_characters(text.body))
    _attach(message, original)
    return Letter.of(message)


def _attach(message: EmailMessage, original: bytes) -> None:
    """Attach a mail with every byte of it: as a message where that can be written so, else as a file of one."""
    lines = original.splitlines()
    if original.isascii() and b"\0" not in original and max(map(len, lines), default=0) <= _LONGEST_LINE:
        # As it came: taken apart and written anew, some would be another one.
        part = EmailMessage(SMTP)
        part["Content-Type"] = "message/rfc822"
        part["Content-Disposition"] = 'attachment; filename="original.eml"'
        part.set_payload("\r\n".join(line.decode("ascii") for line in lines) + "\r\n")
        message.make_mixed()
        message.attach(part)
    else:
        message.add_attachment(original, "application", "octet-stream", filename="original.eml")


def _text(row: Mapping[str, Any]) -> Text:
    """Return what stands above a forwarded mail: who wrote about what, and which task waits for whom.

    Raises:
        jinja2.TemplateError: as for `render`.
    """
    task = None
    if row["task_template"] is not None:
        task = render(row["task_template"], row["task_variables"], row["tenant_name"]).subject
    return render(row["template"], row["variables"] | {"task": task, "assignee": row["assignee"]}, row["tenant_name"])
