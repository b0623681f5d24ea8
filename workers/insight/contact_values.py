"""What a field of a contact may hold: values with the shape of a name, a title, a number, an address.

Mails and providers are strangers: what they say ends in forms, lists and spreadsheets that people open. So nothing is
stored that a program could run (`javascript:`, `=HYPERLINK(…)`), and nothing that is not what its field says.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Final

from workers.insight.contact_words import EMAIL, has_legal_form, word_set

__all__ = ["CONTACT_FIELDS", "fits", "storable"]

CONTACT_FIELDS: Final = (
    "first_name",
    "last_name",
    "title",
    "phone",
    "mobile",
    "linkedin_url",
    "email",
    "company",
)

_LONGEST: Final[dict[str, int]] = {
    "first_name": 60,
    "last_name": 60,
    "title": 120,
    "company": 120,
    "phone": 40,
    "mobile": 40,
    "linkedin_url": 200,
    "email": 254,  # RFC 5321, 4.5.3.1.3, without the angle brackets
}
_LONGEST_OTHER: Final = 300
# Cc, Cf: control and invisible characters, directions among them; Cs, Co, Cn: no characters; Zl, Zp: line ends.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS: Final = frozenset("\u200c\u200d")  # invisible, but part of names in Persian and many Indian scripts
_FORMULA: Final = ("=", "+", "-", "@", "|", "%", "＝", "＋", "－", "＠", "\t", "\r")
_CODE: Final = re.compile(r"(?:java|vb)script *:|\b(?:data:\w+/|file://)|</?[a-z!]|\{\{|\$\{|<%", re.IGNORECASE)
_LINK: Final = re.compile(r"://|\bwww\.", re.IGNORECASE)
_NAME_MARKS: Final = frozenset(" .,'’ʼ`´-/()&\u00b7") | _JOINERS
# An extension may follow: "+44 113 496 0321 ext. 12".
_NUMBER: Final = re.compile(
    r"(?P<number>\(?\+?\(?\d[\d ()./\u00a0\u2010-\u2015-]*\d)(?: ?(?:x|ext\.?|extension|#|-) ?\d{1,6})?", re.IGNORECASE
)
_LINKEDIN: Final = re.compile(
    r"(?:https?://)?(?:[a-z]{2,3}\.)?linkedin\.com/[\w%./-]{2,150}(?:\?[\w%&=.-]*)?(?:#[\w-]*)?", re.IGNORECASE
)
_PLACEHOLDERS: Final = word_set("no_values")
_LEAST_DIGITS: Final = 6
_MOST_DIGITS: Final = 15  # ITU-T E.164


def fits(field: str, value: str) -> bool:
    """Tell whether a value has the shape of what a contact's field holds.

    Args:
        field: One of `CONTACT_FIELDS`.
        value: The value, trimmed.

    Returns:
        False for what is too long, holds control characters or code, begins like a spreadsheet's formula, stands
        for nothing ("n/a"), or is something else: a title without letters, a number with words. Never raises.
    """
    if not 0 < len(value) <= _LONGEST[field] or not _is_plain(value):
        return False
    return value.casefold() not in _PLACEHOLDERS and _SHAPES[field](value)


def storable(found: Mapping[str, object]) -> dict[str, object]:
    """Keep of a provider's data what may be stored: contact fields of their shape, and of the rest what is harmless.

    Args:
        found: Values by field, with other keys than a contact's beside them; a value may be a mapping of texts.
    """
    kept: dict[str, object] = {}
    for key, value in found.items():
        match value:
            case str():
                if fits(key, value) if key in CONTACT_FIELDS else _is_harmless(value):
                    kept[key] = value
            case Mapping():
                kept[key] = {name: text for name, text in value.items() if isinstance(text, str) and _is_harmless(text)}
            case int() | float() | None if key not in CONTACT_FIELDS:
                kept[key] = value
    return kept


def _is_harmless(value: str) -> bool:
    return len(value) <= _LONGEST_OTHER and _is_plain(value) and not value.startswith(_FORMULA)


def _is_plain(value: str) -> bool:
    """Whether all characters can be seen and none of it is code."""
    visible = all(char in _JOINERS or unicodedata.category(char) not in _INVISIBLE for char in value)
    return visible and _CODE.search(value) is None


def _is_name(value: str) -> bool:
    most_words = 8
    return (
        value[0].isalpha()
        and all(char in _NAME_MARKS or unicodedata.category(char)[0] in "LM" for char in value)
        and len(value.split()) <= most_words
        and not has_legal_form(value)
    )


def _is_title(value: str) -> bool:
    letters = sum(map(str.isalpha, value))
    most_words = 15
    return (
        not value.startswith(_FORMULA)
        and 2 * letters >= sum(not char.isspace() for char in value)
        and len(value.split()) <= most_words
        and EMAIL.search(value) is None
        and _LINK.search(value) is None
    )


def _is_company(value: str) -> bool:
    return (
        not value.startswith(_FORMULA)
        and any(map(str.isalnum, value))
        and EMAIL.search(value) is None
        and _LINK.search(value) is None
    )


def _is_number(value: str) -> bool:
    found = _NUMBER.fullmatch(value)
    return found is not None and _LEAST_DIGITS <= sum(map(str.isdigit, found["number"])) <= _MOST_DIGITS


def _is_email(value: str) -> bool:
    return EMAIL.fullmatch(value) is not None and ".." not in value and not value.startswith((*_FORMULA, "."))


def _is_profile(value: str) -> bool:
    return _LINKEDIN.fullmatch(value) is not None


_SHAPES: Final[dict[str, Callable[[str], bool]]] = {
    "first_name": _is_name,
    "last_name": _is_name,
    "title": _is_title,
    "company": _is_company,
    "phone": _is_number,
    "mobile": _is_number,
    "email": _is_email,
    "linkedin_url": _is_profile,
}
