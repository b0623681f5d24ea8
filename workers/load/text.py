"""How text of a file is cleaned, compared and quoted."""

import string
import unicodedata
from collections.abc import Iterable
from typing import Final

_LONGEST_QUOTED: Final = 60
# Blanks of all widths; and marks of writing direction and of joining, which come along when people copy text.
_AROUND: Final = string.whitespace + ("\x85\xa0\u2007\u2009\u202f\u3000\u200b\u200e\u200f\u2060\u202a\u202c\ufeff")


def quoted(value: str) -> str:
    """Return a value as a message shows it: in quotes, and no longer than a message can bear."""
    return f'"{value}"' if len(value) <= _LONGEST_QUOTED else f'"{value[:_LONGEST_QUOTED]}…"'


def tidy(text: str) -> str:
    """Return a field without blanks around it, and each of its letters as one character (NFC)."""
    return text.strip() if text.isascii() else unicodedata.normalize("NFC", text).strip(_AROUND)


def folded(name: str) -> str:
    """Return a name as it is compared: without regard to case, runs of spaces or how its accents are composed."""
    return unicodedata.normalize("NFC", " ".join(name.split()).casefold())


def folded_header(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of columns as they are compared: folded, with underscores for spaces."""
    return tuple(folded(tidy(name)).replace(" ", "_") for name in names)
