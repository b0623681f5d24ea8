"""How whoever is on call hears of an incident: a webhook, a mail, and pings whose silence raises an alarm elsewhere."""

import logging
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Final, Literal

import httpx

from workers.delivery.channels import Sent
from workers.delivery.deliver import channel_for
from workers.delivery.message import Letter
from workers.settings import Settings

logger = logging.getLogger(__name__)

_TIMEOUT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Alert:
    """That an incident opened, or is over.

    Attributes:
        event: which of the two.
        key: what was looked at.
        what: what is, or was, wrong.
        why: why that matters.
        mend: what to do about it.
        opened_at: since when it did not pass by itself.
        closed_at: when it was no longer seen; None as long as it is.
    """

    event: Literal["opened", "closed"]
    key: str
    what: str
    why: str
    mend: str
    opened_at: datetime
    closed_at: datetime | None


def tell(alert: Alert, settings: Settings) -> bool:
    """Tell of an incident in every way that is set; returns whether each of them worked."""
    return all([_post(alert, settings), _mail(alert, settings)])


def ping(name: str, settings: Settings) -> None:
    """Say that one part of the fleet works, to whoever raises the alarm when nobody says so (FLEET_PING_URL)."""
    if settings.fleet_ping_url is None:
        return
    try:
        httpx.get(settings.fleet_ping_url.replace("{name}", name), timeout=_TIMEOUT_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        logger.warning("cannot ping for %s: %s", name, error)


def _post(alert: Alert, settings: Settings) -> bool:
    """POST the incident as JSON; its text is what chat programs show of a message."""
    if settings.fleet_alert_url is None:
        return True
    opened = alert.event == "opened"
    payload = {
        "event": f"incident.{alert.event}",
        "text": f"{alert.what}. {alert.mend}" if opened else f"Over: {alert.what}",
        "key": alert.key, "what": alert.what, "why": alert.why, "mend": alert.mend,
        "opened_at": alert.opened_at.isoformat(),
        "closed_at": alert.closed_at.isoformat() if alert.closed_at else None,
    }  # fmt: skip
    try:
        httpx.post(settings.fleet_alert_url, json=payload, timeout=_TIMEOUT_SECONDS).raise_for_status()
    except httpx.HTTPError as error:
        logger.warning("cannot post the incident %s: %s", alert.key, error)
        return False
    return True


def _mail(alert: Alert, settings: Settings) -> bool:
    """Send the incident to the operator; not where the mail server itself is what is wrong."""
    if settings.fleet_alert_mail is None or alert.key == "outbox:held":
        return True
    message = EmailMessage()
    message["From"] = settings.fleet_mail_from
    message["To"] = settings.fleet_alert_mail
    message["Message-ID"] = make_msgid(domain="fleet.invalid")
    message["Auto-Submitted"] = "auto-generated"
    if alert.event == "opened":
        message["Subject"] = f"The fleet: {alert.what}"[:200]
        message.set_content(
            f"{alert.what}.\n\nWhy it matters: {alert.why}.\n\nWhat to do: {alert.mend}.\n\n"
            f"It is so since {alert.opened_at:%d %b %Y %H:%M} UTC. You will hear when it is over; `fleet doctor` looks"
            " again at once.\n"
        )
    else:
        message["Subject"] = f"Over: {alert.what}"[:200]
        message.set_content(f"Since {alert.closed_at:%d %b %Y %H:%M} UTC this is no longer so: {alert.what}.\n")
    with channel_for(settings) as channel:
        outcome = channel.send(Letter.of(message))
    if not isinstance(outcome, Sent):
        logger.warning("cannot mail the incident %s: %s", alert.key, outcome.error)
        return False
    return True
