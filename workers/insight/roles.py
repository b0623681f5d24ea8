"""Tell from a job title whether its holder decides, influences or uses.

- decision_maker: owns or leads the company or a department: owners, founders, C-level, presidents, vice
  presidents, directors, heads, managing and general managers, partners, board members.
- influencer: shapes a decision without making it: other managers, leads, architects, consultants, principals,
  buyers, product owners, supervisors.
- user: everybody else with a known occupation: assistants, coordinators, analysts, engineers, clerks,
trainees.
- unknown: empty, or no known title.

A title is read word by word in order of authority, so "assistant to the CEO" is an assistant and a
"coordinator"
has nothing of a COO.
"""

import json
import re
import unicodedata
from functools import cache
from importlib import resources
from typing import Any, Literal, NamedTuple

__all__ = ["Role", "fold", "infer_role", "is_title_word"]

Role = Literal["decision_maker", "influencer", "user", "unknown"]

_MAX_CHARS = 200
_DOTTED = re.compile(r"\b(?:[a-z]\.){2,}[a-z]?\b|\b(?:[a-z]\.){2,}")
_WORD = re.compile(r"[^\W\d_]+")
_SPELLINGS = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "\u0131": "i"})
_LONGEST = 4
_SUBORDINATE = frozenset(["to", "of", "for", "der", "des", "de", "du", "di", "da", "do", "the", "office", "an"])
_TITLED = frozenset(["vice"])
_PARTS = re.compile(r"[/|;\u2022\u00b7+&]|,|\s[-\u2013\u2014]\s|\band\b|\bund\b|\bet\b|\by\b")
_RANK: tuple[Role, ...] = ("decision_maker", "influencer", "user")


class _Titles(NamedTuple):
    """What is known about titles: terms of one to four words, endings of compound words, fields, and aides.

    A field such as purchasing counts only where no term is known; an aide serves the title beside it.
    `words` are the terms of one word, abbreviations among them, and `suffixes` the endings without their roles.
    """

    terms: dict[tuple[str, ...], Role]
    endings: tuple[tuple[str, Role], ...]
    fields: tuple[str, ...]
    aides: frozenset[str]
    words: frozenset[str]
    suffixes: tuple[str, ...]


@cache
def _data() -> dict[str, Any]:
    source = resources.files("workers.insight").joinpath("data", "titles.json")
    data: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return data


@cache
def _titles() -> _Titles:
    data = _data()
    terms: dict[tuple[str, ...], Role] = {}
    for role in reversed(_RANK):
        for term in data["terms"][role]:
            terms[tuple(_words(term))] = role
    endings = tuple((fold(ending), role) for role in _RANK for ending in data["endings"][role])
    by_length = sorted(endings, key=lambda pair: -len(pair[0]))
    fields = tuple(f" {field} " for field in data["fields"])
    words = {term[0] for term in terms if len(term) == 1} | set(data["abbreviations"])
    suffixes = tuple(ending for ending, _ in endings)
    return _Titles(terms, tuple(by_length), fields, frozenset(data["aides"]), frozenset(words), suffixes)


def infer_role(title: str) -> Role:
    """Tell what the holder of a job title decides.

    Args:
        title: a job title in English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Czech,
        Hungarian,
            Turkish, Finnish or a Scandinavian language; only the first 200 characters are read.

    Returns:
        The role; of several titles ("Founder & Developer") the one with the most say. Never raises.
    """
    text = _DOTTED.sub(lambda match: match.group().replace(".", ""), title[:_MAX_CHARS].lower())
    words = _words(text)
    if _is_aide(words):
        return "user"
    roles = {_role_of(_words(part)) for part in _PARTS.split(text)}
    best: Role = next((role for role in _RANK if role in roles), "unknown")
    if best == "unknown":
        best = _role_of(words)
    if best == "decision_maker" and words[0] == "assistant" and words[1] not in _TITLED:
        return "influencer"  # an assistant director helps to direct
    if best == "unknown" and any(field in f" {' '.join(words)} " for field in _titles().fields):
        return "influencer"
    return best


def is_title_word(word: str) -> bool:
    """Say whether one word alone names an occupation or a rank ("Lektorin", "V.P.", "Mgr.")."""
    folded = fold(word.replace(".", ""))
    titles = _titles()
    return folded in titles.words or folded.endswith(titles.suffixes)


def fold(text: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text.lower().translate(_SPELLINGS))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _words(text: str) -> list[str]:
    """The words of a title without accents, abbreviations spelled out."""
    short: dict[str, str] = _data()["abbreviations"]
    return [short.get(word, word) for word in _WORD.findall(fold(text))]


def _is_aide(words: list[str]) -> bool:
    """Whether the title serves somebody else: "assistant to the CEO", "director's assistant"."""
    for index, word in enumerate(words):
        if word in _titles().aides:
            served = words[index + 1 :]
            return not (
                word == "assistant" and served and served[0] not in _SUBORDINATE and _role_of(served[:2]) in _RANK[:2]
            )
    return False


def _role_of(words: list[str]) -> Role:
    """The role of one title: the longest known term decides, of equal ones the one with the most say."""
    titles = _titles()
    best: Role = "unknown"
    index = 0
    while index < len(words):
        role: Role = "unknown"
        length = 1
        for size in range(min(_LONGEST, len(words) - index), 0, -1):
            known = titles.terms.get(tuple(words[index : index + size]))
            if known:
                role, length = known, size
                break
        else:
            role = next((kind for end, kind in titles.endings if words[index].endswith(end)), "unknown")
        if role != "unknown" and (best == "unknown" or _RANK.index(role) < _RANK.index(best)):
            best = role
        index += length
    return best
