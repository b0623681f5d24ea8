"""The phrases mail programs and people write around a text, loaded once and ready to look up."""

import json
from pathlib import Path
from typing import Any, Final

__all__ = [
    "ABBREVIATIONS",
    "ANSWERS",
    "CLOSINGS",
    "CONFIDENTIAL",
    "DATE_WORDS",
    "DEVICES",
    "DEVICE_PROSE",
    "DEVICE_WORDS",
    "DIVIDERS",
    "FOOTERS",
    "FOOTER_BEGINS",
    "FORWARDS",
    "HEADERS",
    "INTROS",
    "INVITATIONS",
    "KIND_WORDS",
    "LONGEST_CLOSING",
    "NOTICE_WORDS",
    "NO_FAREWELLS",
    "SAID",
    "THANKED",
    "TRACKERS",
    "WISH_BEGINS",
    "WISH_ENDS",
    "WROTE",
    "load",
]


def load(name: str) -> Any:
    """Read one of the package's data files, for example `load("legal_forms")`."""
    return json.loads((Path(__file__).parent / "data" / f"{name}.json").read_text("utf-8"))


_DATA: Final = load("mail_phrases")

WROTE: Final = tuple(_DATA["wrote"])
ABBREVIATIONS: Final = frozenset(_DATA["abbreviation"])  # their full stop ends no sentence
TRACKERS: Final = tuple(_DATA["tracker"])
DATE_WORDS: Final = frozenset(_DATA["date_word"])  # months, days and what stands beside the hour
SAID: Final = frozenset(_DATA["said"])  # attribute a quote only right above its marks
INTROS: Final = frozenset(_DATA["intro"])
HEADERS: Final = {label: kind for kind, labels in _DATA["header"].items() for label in labels}
FORWARDS: Final = tuple(_DATA["forward_divider"])
DIVIDERS: Final = (*_DATA["divider"], *FORWARDS)
DEVICES: Final = tuple(_DATA["device"])
DEVICE_PROSE: Final = tuple(_DATA["device_prose"])
DEVICE_WORDS: Final = frozenset(_DATA["device_words"])
FOOTERS: Final = tuple(_DATA["footer"])
FOOTER_BEGINS: Final = tuple(_DATA["footer_begins"])
INVITATIONS: Final = tuple(_DATA["invitation"])
CONFIDENTIAL: Final = tuple(_DATA["confidential"])
ANSWERS: Final = frozenset(_DATA["answer"])
CLOSINGS: Final = frozenset(_DATA["closing"])
NOTICE_WORDS: Final = tuple(_DATA["notice"])
# "Have a wonderful weekend": how such wishes begin, and the words they end with.
WISH_BEGINS: Final = tuple(f"{phrase} " for phrase in _DATA["wish_begins"])
WISH_ENDS: Final = frozenset(_DATA["wish_ends"])
# "Happy New Year!", "Hope this helps": how people begin what they wish; it is said to the reader and is no closing.
KIND_WORDS: Final = tuple(_DATA["kind_words"])
THANKED: Final = frozenset(_DATA["thanked"])
# Closings that begin like this may be all that somebody has to say.
NO_FAREWELLS: Final = tuple(_DATA["no_farewell"])
LONGEST_CLOSING: Final = max(len(closing) for closing in CLOSINGS)
