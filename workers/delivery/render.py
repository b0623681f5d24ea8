"""From an action's template and variables to the text a person reads (`render`), and to its message (`compose`)."""

from email.message import EmailMessage
from typing import Any

from workers.delivery import message
from workers.delivery.texts import Text, render

__all__ = ["compose", "render"]


def compose(text: Text, **about: Any) -> EmailMessage:
    """Return the message of an action, as `message.compose` writes it from the same arguments.

    Raises:
        SenderError, UnsendableError, jinja2.TemplateError: as there.
    """
    return message.compose(text, **about).parsed()
