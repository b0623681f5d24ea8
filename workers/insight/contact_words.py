"""What the words of a signature line stand for: a title, a company, a street, a telephone label, a name."""

import re
from functools import lru_cache
from typing import Final

from workers.insight.phrases import CLOSINGS, KIND_WORDS, LONGEST_CLOSING, THANKED, WISH_BEGINS, WISH_ENDS, load
from workers.insight.remembered import Remembered
from workers.insight.roles import fold, is_title_word

__all__ = [
    "CENTRAL_LABELS",
    "COMPANY_WORDS",
    "EMAIL",
    "FAX_LABELS",
    "MOBILE_LABELS",
    "NUMBER_LABELS",
    "PHONE_LABELS",
    "URL",
    "closing_rest",
    "has_legal_form",
    "holds_address",
    "is_department",
    "is_department_like",
    "is_kind_word",
    "is_name_like",
    "is_post_box",
    "is_street_like",
    "is_title_like",
    "sender_tokens",
    "word_set",
    "words_of",
]

_DATA: Final = load("contact_words")
_FORMS: Final = load("legal_forms")

_TITLES: Final = frozenset(_DATA["title_words"])
_NO_TITLES: Final = frozenset(_DATA["no_title_words"])
_TITLE_PHRASES: Final = tuple(_DATA["title_phrases"])
_TITLE_HEADS: Final = frozenset(phrase.split()[0].rstrip(".") for phrase in _TITLE_PHRASES)
COMPANY_WORDS: Final = frozenset(_DATA["company_words"])
_SHORTEST_STREET: Final = 5
_STREETS: Final = frozenset(_DATA["street_words"])
_STREET_ENDINGS: Final = tuple(_DATA["street_endings"])
PHONE_LABELS: Final = frozenset(_DATA["phone_labels"])
MOBILE_LABELS: Final = frozenset(_DATA["mobile_labels"])
CENTRAL_LABELS: Final = frozenset(_DATA["central_labels"])
FAX_LABELS: Final = frozenset(_DATA["fax_labels"])
NUMBER_LABELS: Final = frozenset(_DATA["number_labels"])
# Two or three letters that are also ordinary words ("as", "se", "co") say "company" only when written as
# a form.
_LEGAL: Final = frozenset(
    form for form in _FORMS["words"] if form not in {"co", "as", "se", "company", "ev", "eg", "cv"}
)
_SPLIT_FORMS: Final = tuple(_DATA["split_forms"])
_CYRILLIC_FORMS: Final = frozenset(_DATA["cyrillic_forms"])
_SHORT_FORMS: Final = frozenset({"AS", "SE", "Co.", "Co", "Company", "CV"})

_BETWEEN_PARTS: Final = re.compile(r"[._+-]")  # of an address
_WORD: Final = re.compile(r"[^\W\d_]+(?:[.'’-][^\W\d_]+)*")
_ASCII_WORD: Final = re.compile(r"[a-z]++(?:[.'-][a-z]++)*+")  # the same, and twice as fast
_NO_NAME: Final = re.compile(r"[@:;!?/\\|<>{}=+。、！？…]")
_BETWEEN_NAMES: Final = re.compile(r"[\s,]+")
_DIGIT: Final = re.compile(r"\d")
_IN_BRACKETS: Final = re.compile(r"\([^)]{1,20}\)")
_NAME_PARTS: Final = re.compile(r"[.'’-]")
_TITLE_PARTS: Final = re.compile(r"[-./]")
_FORM_TOKEN: Final = re.compile(r"[^\s,;|•·()«»\"]+")
_LONGEST_MAILBOX: Final = 64
EMAIL: Final = re.compile(r"[\w.+%'-]{1,64}@(?:[\w-]{1,63}\.){1,6}[^\W\d_]{2,24}")
URL: Final = re.compile(r"(?:https?://|www\.)[^\s<>|\"'\])]{3,300}", re.IGNORECASE)
_MAILBOXES: Final = frozenset(_DATA["mailbox_words"])  # "accounts@": nobody's name
_PARTICLES: Final = frozenset(_DATA["name_particles"])
_FROM_SOMEWHERE: Final = frozenset(_DATA["from_somewhere"])
_HONORIFICS: Final = frozenset(_DATA["honorifics"])
_POST_FORMS: Final = (
    r"\b[A-Z]{2} \d{5}(?:-\d{4})?\b",  # US: state and ZIP
    r"\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b",  # GB
    r"(?:^|[,·|–-] ?|\b[A-Z]{1,2} ?- ?)\d{4,6} [^\W\d_]{3}",  # most of Europe: code, then town
    r"\b\d{4} [A-Z]{2} [^\W\d_]{3}",  # NL
    r"\b\d{3} \d{2} [^\W\d_]{3}",  # CZ, SE
    r"\b\d{2}-\d{3} [^\W\d_]{3}",  # PL
    r"〒\d{3}",
    r"\b\d{3}-\d{4},? Japan\b|-(?<=[a-z]-)(?:ku|cho|machi|shi)\b",  # JP
    r"\b[A-Z]\d[A-Z] \d[A-Z]\d\b",  # CA
    r"\b(?:NSW|VIC|QLD|ACT|TAS|WA|SA|NT) \d{4}\b",  # AU
)
# Looking ahead for what they begin with first spares trying each form at each letter.
_POST: Final = re.compile(rf"(?=[A-Z\d,·|〒–-])(?:{'|'.join(_POST_FORMS)})")
# One of these is in each of the forms, and in little else; what it begins with is told by one class, which is fast.
_MAY_BE_POST: Final = re.compile(
    r"[A-Z\d〒-](?:\d{3}|\d\d \d\d|\d-\d{3}|(?<=〒)|(?<=[A-Z])\d[A-Z\d]? ?\d|(?<=-)(?:ku|cho|machi|shi)\b)"
)
_POST_WORDS: Final = tuple(_DATA["post_words"])
_POST_LETTERS: Final = ("box", "bag", "post", "poczt", ".p.", "bp", "apartado", "apdo", "а/я")  # one is in each of them
_POST_BOX: Final = re.compile(
    rf"(?:^|[ ,(])(?:{'|'.join(map(re.escape, _POST_WORDS))}) ?(?:[A-Z]{{1,4}} ?)?\d", re.IGNORECASE
)


def holds_address(text: str) -> bool:
    """Say whether a text holds an e-mail address; fast where "@" begins a name ("@acme")."""
    at = text.find("@", 1)
    while at > 0:
        if not text[at - 1].isspace() and EMAIL.search(text, max(0, at - _LONGEST_MAILBOX)):
            return True
        at = text.find("@", at + 1)
    return False


def word_set(name: str) -> frozenset[str]:
    """One of the word lists of data/contact_words.json, for example "countries"."""
    return frozenset(_DATA[name])


@lru_cache(maxsize=2_048)
def words_of(line: str) -> tuple[str, ...]:
    """The words of a line in lower case, without numbers and punctuation around them."""
    return tuple(_ASCII_WORD.findall(line.lower()) if line.isascii() else map(str.casefold, _WORD.findall(line)))


@lru_cache(maxsize=1_024)
def sender_tokens(sender: str | None) -> frozenset[str]:
    """The name parts of a sender such as `"Ward  Kim S" <kim.ward@example.com>`, in lower case.

    Returns:
        Words of three letters or more (two if the display name has no longer one), of the display name
        and of the address before the @, but for the words of shared mailboxes such as "accounts"; empty for
        None.
    """
    if not sender:
        return frozenset()
    address = EMAIL.search(sender[:1_000])
    names = words_of(EMAIL.sub(" ", sender[:1_000]))
    if address is not None:
        names += words_of(_BETWEEN_PARTS.sub(" ", address[0].split("@", 1)[0]))
    short = 2
    tokens = {part for name in names for part in _NAME_PARTS.split(name) if len(part) > short}
    return frozenset(tokens or {name for name in names if len(name) == short}) - _MAILBOXES


_FIRST_WORD: Final = re.compile(r"\w+")
_CLOSING_STARTS: Final = frozenset(_FIRST_WORD.findall(phrase)[0] for phrase in (*CLOSINGS, *WISH_BEGINS))


@lru_cache(maxsize=2_048)
def closing_rest(line: str) -> str | None:
    """What follows a closing phrase ("Thanks, Tom" → "Tom", "Regards," → ""); None without a closing."""
    text = line.strip(" \t*_-–—~/")
    first = _FIRST_WORD.match(text.lstrip())
    if first is None or first[0].casefold() not in _CLOSING_STARTS:
        return None
    head = " ".join(text[: LONGEST_CLOSING + 30].casefold().split())
    bare = head.rstrip(" ,.!;:。！，")
    if bare in CLOSINGS or _is_wish(bare):
        return ""
    if "/" in bare and all(part.strip() in CLOSINGS for part in bare.split("/")):
        return ""
    for mark in (",", "!", ".", " / ", " - ", "\u3001", "，"):
        phrase, found, rest = head.partition(mark)
        if found and phrase.strip() in CLOSINGS:
            original = text.partition(mark)[2].strip(" ,.!")
            return original if rest.strip(" ,.!") not in CLOSINGS else ""
    words = head.split()
    for taken in range(min(6, len(words) - 1), 1, -1):
        if " ".join(words[:taken]).rstrip(",") in CLOSINGS:
            rest = " ".join(text.split()[taken:]).strip(" ,.!")
            # "Viele Grüße aus Hamburg" is all closing, and so is "Thanks again for your patience,".
            thanked = words[taken] in THANKED and head.endswith(",")
            return "" if thanked or words[taken] in _FROM_SOMEWHERE else rest
    return None


def _is_wish(bare: str) -> bool:
    """Whether a folded line is a wish for the day or the like: "Have a blessed day"."""
    longest = 48
    return len(bare) <= longest and bare.startswith(WISH_BEGINS) and bare.rpartition(" ")[2] in WISH_ENDS


def is_kind_word(line: str) -> bool:
    """Say whether a line only wishes the reader well ("Happy New Year!"): that is text, and signs nothing."""
    longest = 60
    text = line.strip(" \t*_-–—~")
    return len(text) <= longest and text.casefold().startswith(KIND_WORDS)


@lru_cache(maxsize=2_048)
def is_name_like(text: str) -> bool:
    """Say whether a text could be a person's name: one to five capitalised words, no digits, no sentence."""
    text = text.strip(" \t*_,.~-–—/")
    longest, most_words = 50, 5
    if not 1 < len(text) <= longest or _DIGIT.search(text) or _NO_NAME.search(text):
        return False
    words = [word for word in _BETWEEN_NAMES.split(_IN_BRACKETS.sub("", text)) if word]
    real = [word for word in words if word.casefold().rstrip(".") not in _HONORIFICS]
    if not 0 < len(real) <= most_words or any(not word.strip(".'’\"-&") for word in real if word != "&"):
        return False
    return all(
        word[0].isupper() or word.casefold() in _PARTICLES or not (word[0].islower() or word[0].isupper())
        for word in real
    ) and any(word[0].isalpha() and word.casefold() not in _PARTICLES for word in real)


@lru_cache(maxsize=2_048)
def is_title_like(text: str) -> bool:
    """Say whether a short text names a position ("Head of Sales", "Einkaufsleiterin")."""
    most_words = 9
    words = words_of(text)
    if not 0 < len(words) <= most_words:
        return False
    folded = text.casefold()
    if not _TITLE_HEADS.isdisjoint(words) and any(phrase in folded for phrase in _TITLE_PHRASES):
        return True
    if any(map(_TITLE_WORDS.__getitem__, words)):
        return True
    return not text.isascii() and any(len(title) > 1 and title in folded for title in _CJK_TITLES)


def _is_title_word(word: str) -> bool:
    return any(
        part in _TITLES or (is_title_word(part) and fold(part) not in _NO_TITLES)
        for part in {word, *_TITLE_PARTS.split(word)}
    )


_TITLE_WORDS: Final = Remembered(_is_title_word)
_CJK_TITLES: Final = tuple(title for title in _TITLES if title[0] >= "\u3000")


def is_department_like(text: str) -> bool:
    """Say whether a text names a department rather than a company ("Accounting", "Service Desk")."""
    return any(word in _DEPARTMENTS for word in words_of(text)) and not has_legal_form(text)


def is_department(text: str) -> bool:
    """Say whether a text says of itself that it is a department ("Commercial Division", "Legal Dept.")."""
    words = words_of(text)
    return len(words) > 1 and words[-1] in _DEPARTMENT_NOUNS and "," not in text and _OF.isdisjoint(words)


_DEPARTMENTS: Final = frozenset(_DATA["departments"])
_DEPARTMENT_NOUNS: Final = frozenset(_DATA["department_nouns"])
_OF: Final = frozenset(
    {"of", "der", "des", "du", "de", "del", "dell", "van", "för", "for", "at"}
)  # "Head of Department"


@lru_cache(maxsize=2_048)
def has_legal_form(text: str) -> bool:
    """Say whether a text holds a company's legal form as a word of its own ("GmbH", "Inc.", "S.r.l.")."""
    words = _FORM_TOKEN.findall(text[:200])
    if any(form in text for form in _SPLIT_FORMS):
        return True
    least = 2
    if len(words) >= least and (words[0] in _CYRILLIC_FORMS or any(map(_FORM_WORDS.__getitem__, words[1:]))):
        return True
    return not text.isascii() and ("株式会社" in text or "有限公司" in text)


def _is_form(word: str) -> bool:
    folded = word.casefold()
    if folded.rstrip(".") in _LEGAL and (word[0].isupper() or "." in word or word[0] >= "\u0400" or word == "mbH"):
        return True
    return word in _SHORT_FORMS or folded in {"a.ş.", "a.ş", "aş"}


_FORM_WORDS: Final = Remembered(_is_form)


def is_post_box(text: str) -> bool:
    """Say whether a text names a box at the post office ("P. O. Box CT 1122", "Postfach 12 34")."""
    folded = text.casefold()
    return any(letters in folded for letters in _POST_LETTERS) and _POST_BOX.search(text) is not None


@lru_cache(maxsize=2_048)
def is_street_like(text: str) -> bool:
    """Say whether a text looks like part of an address: a street and number, a postcode and town."""
    if not _DIGIT.search(text):
        return False
    text = " ".join(text.split())  # "Austin, TX  78701"
    if _MAY_BE_POST.search(text) and _POST.search(text):
        return True
    return any(map(_STREET_WORDS.__getitem__, text.casefold().split())) or is_post_box(text)


def _is_street_word(raw: str) -> bool:
    word = raw.strip(",;()")
    if word in _STREETS or word.rstrip(".") in _STREETS:
        return True
    return len(word) > _SHORTEST_STREET and word.endswith(_STREET_ENDINGS)


_STREET_WORDS: Final = Remembered(_is_street_word)
