"""The page docs/explanation/what-a-customer-sees.md, written from the texts themselves.

`PYTHONPATH=. python -m tests.customer_letters` writes it anew.
"""

from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from tests.letters import as_read, part_of
from workers.delivery.facts import Facts, Thread
from workers.delivery.message import compose
from workers.delivery.samples import SAMPLES
from workers.delivery.texts import Text, render
from workers.delivery.wording import LANGUAGES, Wording

PAGE: Final = Path(__file__).parents[1] / "docs" / "explanation" / "what-a-customer-sees.md"
_LANGUAGES: Final = {"en": "English", "de": "German", "fr": "French", "es": "Spanish", "nl": "Dutch"}
_INTRODUCTION: Final = """\
# What a customer sees

Every letter that leaves, as its reader gets it, with sample values. This page is written from the texts themselves
(`python -m tests.customer_letters`), and a test compares the two. How to change what it says:
[Letters](../how-to/letters.md).

Each letter comes as text and as a plain HTML page that says the same and loads nothing. It is from the person who signs
it, at the tenant's address. What follows up an earlier letter to the same person answers it in the same thread, under
its subject. Below stand the tenant's postal address, if it is set, and the way to get no more; mail programs show
their own button for that (RFC 8058). The last line is a reference by which an answer is known.

The texts state nothing that the fleet does not know. "We wrote to you" stands only where an earlier letter was sent,
and a letter that is the only one of its series does not speak of others.
"""
_CLOSING: Final = """\
## What happens behind the link

Opening it shows a page with a question and a button, so that a mail scanner that opens links changes nothing. The
button, or the mail program's own, ends all letters to this mailbox; a task tells the tenant. The page is in the
letter's language, works without scripts, loads nothing and is kept by nobody.
"""


def page() -> str:
    """Return the page as it should stand in the docs."""
    return "\n".join([_INTRODUCTION, *_sections(), _CLOSING])


def _sections() -> Iterator[str]:
    yield "## A letter as a whole\n"
    yield _shown("A quote's first letter", "quote_follow_up", whole=True)
    yield "From here on without the lines that are the same in each: sender, recipient, and what stands below.\n"
    yield "## A quote that was sent\n"
    yield "Up to five letters unless set; the first stands above.\n"
    yield _shown("The first, if the quote was viewed", "quote_follow_up", view_count=3)
    yield from (_shown(f"Letter {step}", "quote_follow_up", step=step) for step in range(2, 6))
    yield "## A deal that went silent\n"
    yield 'The deal\'s title is internal: letters say "our offer" unless the tenant shares its titles.\n'
    yield from (_shown(f"Letter {step}", "deal_follow_up", step=step) for step in range(1, 6))
    yield from (_shown(f"Letter {step} of seven", "deal_follow_up", step=step, max_steps=7) for step in (5, 6))
    yield _shown("The only one, where no more is allowed", "deal_follow_up", max_steps=1)
    yield "## An order that was delivered\n"
    yield _shown("The one request", "feedback_request")
    yield "## A check that is due\n"
    yield _shown("The first reminder", "compliance_reminder")
    yield _shown("The second, with nothing missing", "compliance_reminder", step=2, missing=[], errors=[])
    yield "## In other languages\n"
    yield from (_shown(_LANGUAGES[one], "quote_follow_up", language=one) for one in LANGUAGES[1:])


def _shown(title: str, template: str, *, language: str = "en", whole: bool = False, **changes: Any) -> str:
    values = {**SAMPLES[template], **changes}
    wording = Wording(language, {"en": "en-GB"}.get(language), link="https://northwind.example/quotes/7")
    text = render(template, values, "Northwind", wording)
    message = _message(text, wording, values, template)
    lines = [f"{name}: {message[name]}" for name in (("From", "To", "Subject") if whole else ("Subject",))]
    body = part_of(message) if whole else text.body
    link = message["List-Unsubscribe"].partition(">")[0].removeprefix("<")
    body = body.replace(message["X-Fleet-Reference"], "Ref: …").replace(link, f"{link.rpartition('/')[0]}/…")
    return f"### {title}\n```text\n" + "\n".join([*lines, "", body.rstrip(), "```\n"])


def _message(text: Text, wording: Wording, values: dict[str, Any], template: str) -> EmailMessage:
    first = render(template, SAMPLES[template], "Northwind").subject
    facts = Facts(
        wording=wording,
        sender_name=values.get("owner_name"),
        postal_address="1 Quay Street\nBristol BS1 4AA",
        thread=Thread("<first@northwind.example>", first) if values.get("step", 1) > 1 else None,
    )
    return as_read(compose(
        text, action=1, tenant=UUID(int=1), tenant_name="Northwind", address="ada@acme.example", from_name="Northwind",
        from_address="care@northwind.example", facts=facts, public_url="https://mail.northwind.example",
    ))  # fmt: skip


if __name__ == "__main__":
    PAGE.write_text(page())
