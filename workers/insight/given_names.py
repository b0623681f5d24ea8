"""Given names: which words are some, and how a contact may be greeted."""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from workers.insight.contact_words import (
    COMPANY_WORDS,
    has_legal_form,
    is_department_like,
    is_title_like,
    word_set,
)
from workers.insight.merge import same_value
from workers.insight.phrases import load
from workers.insight.roles import fold

__all__ = ["greeted_as", "is_given_name"]

_WORDS: Final = load("greeting_words")
_NAMES: Final = frozenset(load("first_names")["names"])
_PLACEHOLDERS: Final = frozenset(_WORDS["placeholders"])
_ADDRESS_FORMS: Final = frozenset(_WORDS["address_forms"])
_BEFORE_FAMILY_NAMES: Final = frozenset(_WORDS["before_family_names"])
_FAMILY_FIRST: Final = frozenset(_WORDS["family_first"])  # in Chinese, Korean, Vietnamese, Japanese, Hungarian
_MAILBOXES: Final = word_set("mailbox_words")

_LONGEST: Final = 40
_MOST_WORDS: Final = 4
# Letters, within which an apostrophe or a hyphen may stand: "D'Arcy", "Jean-Luc".
_NAME: Final = re.compile(r"[^\W\d_]+(?:['’ʼ-][^\W\d_]+)*")
_INVISIBLE: Final = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
_JOINERS: Final = frozenset({"and", "und", "et", "e", "y", "en", "og", "och", "oder", "or", "i"})
# Scripts without spaces or in which the family name comes first: where a given name begins cannot be told.
_FAMILY_FIRST_SCRIPTS: Final = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "YI", "THAI", "LAO", "KHMER")


def is_given_name(word: str) -> bool:
    """Say whether one word is a known given name in Latin letters, whatever its case and accents.

    Names that are mostly other words ("Summer") are not known.
    """
    return _fold(word) in _NAMES


@lru_cache(maxsize=1_024)
def greeted_as(first_name: str | None, company: str | None = None) -> str | None:
    """Decide by which name a contact is greeted.

    A column of first names holds placeholders, addresses, companies, departments and whole names as well. What is
    not surely a given name is not used: "Hello," alone is never wrong.

    Args:
        first_name: What the contact's record calls the first name.
        company: The name of the contact's company, if known: a contact named like it is not a person.

    Returns:
        The name, in its own spelling but for all capitals or none ("ANN" → "Ann"); None for a greeting without
        a name. Never raises.
    """
    text = " ".join(unicodedata.normalize("NFC", first_name or "").translate(_INVISIBLE).split())
    if not text or len(text) > _LONGEST or (company and same_value("company", company, text)):
        return None
    words = _after_comma(text).split()
    addressed = [word for word in words if _fold(word) not in _ADDRESS_FORMS]
    if not 0 < len(addressed) <= _MOST_WORDS or not all(map(_is_spelled, addressed)):
        return None
    known = [is_given_name(word) for word in addressed]
    if len(words) == 1:
        return _cased(words[0]) if known[0] or _may_be_given(words[0], company) else None
    # "Mr. Scott" names a family; "Kim Min-jun" and "Wanjiru Kamau" do not tell which word is the given name; "Ann and
    # Bo" are two.
    if len(addressed) == 1 and not _BEFORE_FAMILY_NAMES.isdisjoint(map(_fold, words)):
        return None
    if not known[0] or _is_family_first(addressed, known) or not _JOINERS.isdisjoint(words):
        return None
    given = next((place for place, is_known in enumerate(known) if not is_known), len(known))
    return " ".join(map(_cased, addressed[:given]))


def _is_spelled(word: str) -> bool:
    """Whether a word is spelled in letters; "¼" and "Ⅳ" are none, whatever a regular expression says."""
    return _NAME.fullmatch(word) is not None and not any(char.isnumeric() and not char.isalpha() for char in word)


def _after_comma(text: str) -> str:
    """What follows the comma of "Last, First"; "" if that is no name, as in "Acme, Inc."."""
    last, comma, first = text.partition(",")
    if not comma:
        return text
    is_last = _NAME.fullmatch(last.replace(" ", "-")) is not None
    return first.strip() if is_last and not has_legal_form(f"x {first}") else ""


def _is_family_first(words: list[str], known: list[bool]) -> bool:
    return _fold(words[0]) in _FAMILY_FIRST and not all(known)


def _may_be_given(word: str, company: str | None) -> bool:
    """Whether one unknown word, written like a name, is one for all that is known."""
    folded = _fold(word)
    cased = _cased(word)
    if word.islower() or cased.islower() or word.isupper() or cased.isupper() or len(set(folded)) == 1:
        return False  # "a-A" would be greeted by its initials, "ºA" by "ºa"
    if _is_family_first_script(word):
        return False
    if folded in _PLACEHOLDERS or folded in _MAILBOXES or folded in COMPANY_WORDS or folded in _FAMILY_FIRST:
        return False
    if is_title_like(word) or is_department_like(word):
        return False
    return not company or folded not in {_fold(part) for part in company.split()}


def _is_family_first_script(word: str) -> bool:
    return any(unicodedata.name(char, "").startswith(_FAMILY_FIRST_SCRIPTS) for char in word)


def _cased(word: str) -> str:
    """A word with a capital where all of its letters are large, or the first is small."""
    if not word.isupper() and not word[0].islower():
        return word
    return re.sub(r"[^\W\d_]+", lambda match: match[0].capitalize(), word)


def _fold(word: str) -> str:
    return fold(word).strip(".")
