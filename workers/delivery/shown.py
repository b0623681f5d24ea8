"""An action's text as people are shown it, who decide about it or look back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal, get_args

from jinja2 import TemplateError

from workers.delivery.facts import Facts
from workers.delivery.internal import task_text
from workers.delivery.message import subject_of
from workers.delivery.texts import LONGEST_WRITTEN, Text, render
from workers.settings import settings

Status = Literal["suggested", "scheduled", "sending", "sent", "failed", "dead", "cancelled", "skipped"]
STATUSES: Final = get_args(Status)


def text_of(action: Mapping[str, Any]) -> Text:
    """Return subject and body of an action, which has its "facts", as it would leave; an error's words if it cannot."""
    facts: Facts = action["facts"]
    try:
        if action["kind"] in ("task", "case"):
            return task_text(action, settings().fleet_link_template)
        text = render(action["template"], action["variables"], action["tenant_name"], facts.wording)
        return replace(text, subject=subject_of(text, facts)) if action["kind"] == "email" else text
    except TemplateError as error:  # the rest of the list must still be seen
        return Text(f"template {action['template']} cannot be rendered: {error}", "")


def sent_text_of(action: Mapping[str, Any]) -> Text:
    """Return the text of an action (a row of list_actions); of one that left, what it said then."""
    text = text_of(action)
    return replace(
        text,
        subject=action["sent_subject"] or text.subject,
        body=action["sent_body"] or text.body,
        version=action["text_version"],
    )


def edited_text(before: Text, subject: str, body: str) -> Text | None:
    """Return a text as a person wants it; None if that is how it is.

    Raises:
        ValueError: a subject or a body is missing, or too long.
    """
    edited = replace(before, subject=subject.strip(), body=body.strip())
    if not edited.subject or not edited.body:
        raise ValueError("a message needs a subject and a text")
    if max(len(edited.subject), len(edited.body)) > LONGEST_WRITTEN:
        raise ValueError(f"a subject or a text has at most {LONGEST_WRITTEN:,} characters")
    return None if (edited.subject, edited.body) == (before.subject, before.body.strip()) else edited
