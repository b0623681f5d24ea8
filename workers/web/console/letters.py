"""A letter as its reader sees it."""

from typing import Final
from uuid import UUID

from jinja2 import TemplateError

from workers.correspondence import opt_out_token
from workers.delivery.facts import Facts
from workers.delivery.message import SenderError, compose
from workers.delivery.mime import UnsendableError
from workers.delivery.texts import Text
from workers.settings import settings

_NOBODY: Final = "nobody@fleet.invalid"


class UnwritableError(ValueError):
    """A text cannot be sent as a letter; the message says why."""


def html_of(
    text: Text, facts: Facts, *, action: int, tenant: UUID, tenant_name: str, address: str | None = None
) -> str:
    """Return the HTML page of a letter; the link by which its reader gets no more of them is not given away.

    Args:
        text: what it says.
        facts: what is known beside the text.
        action: the number that the letter has, or would have.
        tenant: who writes.
        tenant_name: what that one is called.
        address: to whom it goes, if that is known.

    Raises:
        UnwritableError: it cannot be written as a letter.
    """
    try:
        letter = compose(
            text, action=action, tenant=tenant, tenant_name=tenant_name, address=address or _NOBODY,
            from_name=tenant_name, from_address=settings().fleet_mail_from, facts=facts,
            public_url=settings().fleet_public_url,
        )  # fmt: skip
    except (TemplateError, SenderError, UnsendableError) as error:
        raise UnwritableError(f"This cannot be written as a letter: {error}") from None
    part = letter.parsed().get_body(("html",))
    html: str = part.get_content() if part is not None else ""
    return html.replace(opt_out_token(action), "…")
