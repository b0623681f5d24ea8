"""Split a mail into what its writer says, what is quoted, and the signature."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from workers.insight.attributions import without_inline_attributions
from workers.insight.footers import footer_start
from workers.insight.html_text import html_to_text
from workers.insight.mail_headers import forwarded
from workers.insight.quoting import part_lines, without_marks
from workers.insight.signature_lines import signature_above

__all__ = ["Reply", "split_reply"]

# Nobody types this much: what lies behind it is quoted mail, a log or an attack.
_READ: Final = 60_000
_READ_LINES: Final = 1_000
_READ_HTML: Final = 200_000
_REMEMBERED: Final = 20_000
_FORWARDS_READ: Final = 3  # messages within messages


@dataclass(frozen=True, slots=True)
class Reply:
    """The parts of a mail; each may be empty, none has blank lines at its ends.

    Attributes:
        text: The new text, without quotes and without signature; answers between quotes are kept. Of a message that
            is passed on without a word, its text.
        quoted: Quoted lines, attributions and headers of earlier mails, in their order.
        signature: Closing, name and contact details, with the lines programs add below ("Sent from my …").
        forwarded: Whether the text is somebody else's, passed on.
    """

    text: str
    quoted: str
    signature: str
    forwarded: bool = False


def split_reply(text: str, html: str | None = None, sender: str | None = None) -> Reply:
    """Split a mail's body into the new text, the quoted part and the signature.

    Args:
        text: The plain-text body in any language and layout; may be empty if there is `html`.
        html: The HTML body, read only if `text` is blank.
        sender: The From header, if known: a signature is found more surely with it.

    Returns:
        A `Reply`. Never raises. The first 60,000 characters and 1,000 lines of text (200,000 characters of
        HTML) are read; what follows them counts as quoted.
    """
    if not text.strip() and html:
        text = html_to_text(html[:_READ_HTML])
    return _split(text, sender) if len(text) <= _REMEMBERED else _split.__wrapped__(text, sender)


# One mail is asked for its text, its signature and its signals, one after the other.
@lru_cache(maxsize=64)
def _split(text: str, sender: str | None) -> Reply:
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    shown, beyond = text[:_READ], text[_READ:]
    lines = shown.split("\n")
    if len(lines) > _READ_LINES:
        beyond = "\n".join(lines[_READ_LINES:]) + beyond
        lines = lines[:_READ_LINES]
    reply = _split_lines(without_inline_attributions(lines), sender, _FORWARDS_READ)
    return replace(reply, quoted=_joined([reply.quoted, beyond])) if beyond.strip() else reply


def _split_lines(lines: Sequence[str], sender: str | None, forwards: int) -> Reply:
    """Split a mail's lines; of messages that pass each other on, at most `forwards` are opened."""
    parts = part_lines(lines)
    own = [lines[number] for number in parts.own]
    code = {index for index, number in enumerate(parts.own) if number in parts.code}
    cut = _signature_start(own, code, sender)
    quoted = [lines[number] for number in parts.quoted]
    if not any(line.strip() for line in own[:cut]):
        if forwards and (reply := _passed_on(own, quoted, sender, forwards - 1)) is not None:
            return reply
        if _is_only_name(own):
            # "Thanks, Tom" may be all a person has to say: then it is the reply.
            cut = len(own)
    return Reply(_joined(own[:cut]), _joined(quoted), _joined(own[cut:]))


def _passed_on(own: Sequence[str], quoted: Sequence[str], sender: str | None, forwards: int) -> Reply | None:
    """A mail that only passes a message on says what that message says; its signature is not the sender's."""
    # Apple marks the message, but not the divider above it.
    lines = [*without_marks(quoted[:1]), *without_marks(quoted[1:])]
    found = forwarded(lines, sender)
    if found is None:
        return None
    inner = _split_lines(lines[found:], None, forwards)
    if not inner.text:
        return None
    around = _joined([*lines[:found], inner.quoted, inner.signature])
    return Reply(inner.text, around, _joined(own), forwarded=True)


def _signature_start(own: Sequence[str], code: set[int], sender: str | None) -> int:
    """Where the signature begins: footers, "-- " parts and closings, from the end upwards."""
    cut = footer_start(own)
    above = cut if cut == len(own) else footer_start(own[:cut])
    rounds = 3  # a footer below the quote, the signature, and a telephone's note above that
    for _ in range(rounds):
        found = signature_above(own[:cut], above, sender)
        if found and not code.intersection(range(found[0], cut)):
            cut = found[0]
            above = footer_start(own[:cut])
        if above == cut:
            break
        cut = above
        above = footer_start(own[:cut])
    return cut


def _is_only_name(own: Sequence[str]) -> bool:
    written = [line for line in own[: footer_start(own)] if line.strip()]
    few = 2
    return 0 < len(written) <= few


def _joined(lines: Sequence[str]) -> str:
    """The lines as text without blank lines around it; an indented first line keeps its indentation."""
    start, end = 0, len(lines)
    while start < end and not lines[start].strip():
        start += 1
    while end > start and not lines[end - 1].strip():
        end -= 1
    return "\n".join(lines[start:end]).rstrip()
