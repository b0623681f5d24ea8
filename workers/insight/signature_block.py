"""The lines of a mail that say who its sender is: its own signature, or all of a text that is nothing but one."""

from collections.abc import Sequence
from typing import Final

from workers.insight.contact_words import (
    EMAIL,
    URL,
    has_legal_form,
    is_name_like,
    is_street_like,
    is_title_like,
    words_of,
)
from workers.insight.footers import footer_start
from workers.insight.phrases import ANSWERS
from workers.insight.reply import split_reply
from workers.insight.signature_features import is_prose
from workers.insight.signature_lines import find_signature
from workers.insight.signature_pieces import MARKS, SPLIT

__all__ = ["own_signature"]

_MOST_LINES: Final = 25
_LONGEST_LINE: Final = 300
_SPLIT_BLOCK: Final = 6  # lines above a signature that may be its first half


def own_signature(text: str, sender: str | None) -> list[str]:
    """Return the lines of a mail's signature that say something of its sender, without blank ones.

    Args:
        text: A whole mail body, or a signature alone.
        sender: The From header, if known.

    Returns:
        At most 25 lines of 300 characters; none if the mail is not signed.
    """
    reply = split_reply(text, sender=sender)
    block = reply.signature.split("\n") if reply.signature else []
    block = block[: footer_start(block)]
    written = [] if reply.forwarded else [line for line in reply.text.split("\n") if line.strip()]
    if not any(line.strip() for line in block):
        # The text may be a signature alone: then nothing of it is prose, and nearly everything tells a
        # detail.
        block = written if _is_signature_alone(written) else []
    elif written and _is_signature_alone(written) and len(written) <= _SPLIT_BLOCK:
        block = [*written, *block]
    return [line[:_LONGEST_LINE] for line in block if line.strip()][:_MOST_LINES]


def _is_signature_alone(lines: Sequence[str]) -> bool:
    most, longest = 16, 160
    if not 0 < len(lines) <= most or any(len(line) > longest or is_prose(line) for line in lines):
        return False
    if len(find_signature(["", *lines])) == len(lines):
        return True
    first = SPLIT.split(lines[0].strip(MARKS))[0].partition(",")[0]
    asks = any(line.rstrip().endswith(("?", "!", ":")) for line in lines)
    return (
        is_name_like(first)
        and not set(words_of(first)) <= ANSWERS
        and any(map(_tells_a_detail, lines))
        and not asks
        and (len(lines) > 1 or bool(SPLIT.search(lines[0])))
    )


def _tells_a_detail(line: str) -> bool:
    return (
        EMAIL.search(line) is not None
        or URL.search(line) is not None
        or is_title_like(line)
        or has_legal_form(line)
        or is_street_like(line)
        or any(char.isdigit() for char in line)
    )
