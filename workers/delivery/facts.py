"""What delivery knows of a letter beside its action: one call for a claimed batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from workers.db.session import Connection
from workers.delivery.wording import OwnText, Wording, language_of
from workers.links import filled_link


@dataclass(frozen=True, slots=True)
class Thread:
    """The first message about the same subject to the same reader, which those that follow answer."""

    message_id: str
    subject: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a letter beside its action (`letter_facts` in schema/functions/letters.sql).

    Attributes:
        wording: How it is worded.
        sender_name: Who signs it, if not the tenant as such.
        postal_address: The tenant's, in lines.
        thread: What it follows up, if anything was sent before.
        subjects: What a task is about: {"type", "id", "title", "tenant"} each.
    """

    wording: Wording = field(default_factory=Wording)
    sender_name: str | None = None
    postal_address: str | None = None
    thread: Thread | None = None
    subjects: Sequence[Mapping[str, str | None]] = ()


def with_facts(connection: Connection, actions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return actions (rows with "action_id" and "variables") each with its "facts"."""
    numbers = [action["action_id"] for action in actions]
    rows = connection.execute("SELECT * FROM letter_facts(%s)", [numbers]) if numbers else ()
    known = {row["action_id"]: row for row in rows}
    return [{**action, "facts": facts_of(known[action["action_id"]], action["variables"])} for action in actions]


def facts_of(row: Mapping[str, Any], variables: Any) -> Facts:
    """Return what a row of letter_facts says of an action with these variables."""
    first, subject = row["thread_message_id"], row["thread_subject"]
    return Facts(
        wording=Wording(
            language=language_of(row["contact_language"], row["tenant_language"], row["locale"]),
            locale=row["locale"],
            time_zone=row["time_zone"],
            currency=row["currency"],
            link=_link(row["link_template"], row["subject_id"], variables),
            signature=row["signature"],
            share_deal_titles=row["share_deal_titles"],
            own_texts={
                language: OwnText(source, row["own_versions"][language])
                for language, source in (row["own_texts"] or {}).items()
            },
        ),
        sender_name=row["sender_name"],
        postal_address=row["postal_address"],
        thread=Thread(first, subject) if first and subject else None,
        subjects=row["subjects"] or (),
    )


def _link(template: str | None, subject: UUID | str, variables: Any) -> str | None:
    """Where a customer finds what a letter is about; None where that is no web address, or a value is missing."""
    if template is None or not template.startswith("https://") or not isinstance(variables, Mapping):
        return None
    return filled_link(template, {**variables, "id": subject})
