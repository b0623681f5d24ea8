"""What stands before a subject: marks of answers and forwards in many languages, and the tags of mail gateways."""

import re
from typing import Final

__all__ = ["FORWARD_MARKS", "REPLY_MARKS", "unmarked", "without_tag"]

REPLY_MARKS: Final = frozenset(map(str.casefold, (
    "re", "r", "ré", "rép", "aw", "antw", "sv", "vs", "rif", "res", "resp", "odp", "ynt", "vá", "bls", "atb", "er",
    "ha", "απ", "σχετ", "ответ", "отв", "відп", "השב", "رد", "ตอบ", "回复", "答复", "回覆", "答覆", "返信", "회신",
    "답장",
)))  # fmt: skip
FORWARD_MARKS: Final = frozenset(map(str.casefold, (
    "fw", "fwd", "wg", "tr", "vb", "vl", "rv", "i", "enc", "doorst", "pd", "fs", "trs", "ilt", "İLT", "πρθ", "пересл",
    "הועבר", "转发", "轉寄", "転送", "전달",
)))  # fmt: skip
_MARK: Final = re.compile(r"(?:\[[^\]]{1,30}+\]\s*+)?([^\W\d_]{1,10}+)\s?(?:[\[(]\d{1,3}[\])])?\s?[:\uff1a]\s*+")
# "[EXTERNAL] Re: your quote", "***SPAM*** Automatic reply": the receiver's own gateway put it there.
_TAG: Final = re.compile(
    r"[\[({*]{1,5}+\s?(?:ext|external|extern|externe|externo|esterno|caution|spam|suspect\w*|bulk|secure)\b"
    r"[^\])}*]{0,20}+[\])}*]{1,5}+[\s:-]*+|ext(?:ernal)?\s?:\s*+",
    re.IGNORECASE,
)
_MOST_MARKS: Final = 9


def unmarked(subject: str) -> tuple[str, str]:
    """Part a subject from what mail programs and gateways have put before it.

    Returns:
        The first mark in lower case, one of `REPLY_MARKS` or `FORWARD_MARKS`, or an empty text if there is none; and
        the subject without up to nine marks and the tags between them.
    """
    first = ""
    subject = without_tag(subject.strip())
    for _ in range(_MOST_MARKS):
        found = _MARK.match(subject)
        mark = found[1].casefold() if found else ""
        if found is None or mark not in REPLY_MARKS | FORWARD_MARKS:
            break
        first = first or mark
        subject = without_tag(subject[found.end() :])
    return first, subject


def without_tag(subject: str) -> str:
    """The subject without the tag that a mail gateway has put before it."""
    tag = _TAG.match(subject)
    return subject[tag.end() :] if tag else subject
