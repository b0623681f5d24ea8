"""Mails written by hand after the formats of real systems, one a file under `mail/KIND`."""

from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path

from workers.insight.machine_mail import Judgement

FOLDER = Path(__file__).parent / "mail"
# The message of ours that they are about, and whom it was sent to.
OURS = "<action.7.00000000000000000000000000000007@northwind.example>"
ANN = "ann@acme.example"


def names(kind: str) -> list[str]:
    """The mails of a kind."""
    return sorted(path.stem for path in (FOLDER / kind).glob("*.eml"))


def read(kind: str, name: str) -> Message:
    """One of them, parsed."""
    return message_from_bytes((FOLDER / kind / f"{name}.eml").read_bytes(), policy=policy.compat32)


def given_up(judgement: Judgement) -> list[str | None]:
    """The addresses that are dead or complained."""
    return [failure.recipient for failure in judgement.failures if failure.fault.whose == "address"]
