"""Tell what kind of answer a customer sends: no more mail, no, yes, a question, or something else.

A wrong "no more mail" silences a customer for good, so a sentence has to say it plainly. The phrases that do, and the
vetoes that take a sentence out again, are data (``data/answers.json``), per language.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final, Literal, NamedTuple

from workers.insight.language import UNDERSTOOD
from workers.insight.needs import Needs
from workers.insight.phrases import load
from workers.insight.subjects import unmarked
from workers.insight.tokens import sentences_of

__all__ = ["Answer", "kind_of_answer", "outrage", "written_out"]

AnswerKind = Literal["opt_out", "refusal", "acceptance", "question", "other", "unreadable"]

_DECIDED: Final[tuple[AnswerKind, ...]] = ("opt_out", "refusal", "acceptance")
_READ: Final = 2_000  # characters: an answer says what it is at its beginning
_LONGEST_SENTENCE: Final = 300
_LONGEST_BARE: Final = 60
_SHORT: Final = 150  # the language of a shorter text that is not English is a guess
_MILD: Final = 2  # so many mild expressions are as much as a strong one
_LETTERS: Final = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "’": "'", "‘": "'", "´": "'", "`": "'"}
)
_NEAR: Final = 30  # characters before an expression in which a negation turns it
_PART: Final = re.compile(r"<([A-Z]+)>")
_WORD: Final = re.compile(r"[^\W\d_]+")
_ASKS: Final = re.compile(
    r"[?？]\W*$|^(?:please )?(?:let me know|tell me|advise|confirm) (?:if|whether|when|how|what|which|who|where)\b"
    r"|^(?:can|could|would|will) you\b"
)
_NEGATED: Final = re.compile(r"\b(?:nicht|kein\w*|pas|ne|no|ni|non|niet|geen|ohne|sans|sin|senza|zonder) (?:\w+ )?$")


@dataclass(frozen=True, slots=True)
class Answer:
    """What kind of answer a text is.

    Attributes:
        kind: opt_out (write to me no more), refusal (we will not buy), acceptance (we will), question, other; or
            unreadable: no text at all, or one in a language of which only the first three are known, and none of them.
        evidence: the sentence that says so, as it was written; None for other and unreadable.
    """

    kind: AnswerKind
    evidence: str | None = None


class _Group(NamedTuple):
    """What makes a sentence one kind of answer in one language, and what takes it out again."""

    phrases: Sequence[re.Pattern[str]]
    needs: Needs  # of the phrases: few sentences meet any, and the phrases are slow
    veto: re.Pattern[str]

    def matches(self, sentence: str) -> bool:
        found = any(self.phrases[number].search(sentence) for number in self.needs.possible(sentence))
        return found and not self.veto.search(sentence)


class _Phrases(NamedTuple):
    """What is known of all languages.

    Attributes:
        groups: by kind and language.
        bare: texts that are an answer only as a whole, in bare letters, and of which kind.
        courtesy: words that change no such text.
        greeting: what a text may begin with.
        moods: expressions of the strongly unhappy, and of the unhappy, by language.
    """

    groups: Mapping[AnswerKind, Mapping[str, _Group]]
    bare: Mapping[str, AnswerKind]
    courtesy: frozenset[str]
    greeting: re.Pattern[str]
    moods: Mapping[str, tuple[re.Pattern[str], re.Pattern[str]]]


@cache
def _phrases() -> _Phrases:
    data = load("answers")
    languages: Mapping[str, Any] = data["languages"]

    needs: Mapping[str, Mapping[str, Sequence[str]]] = load("answer_needs")["needs"]

    def group(language: str, kind: str) -> _Group:
        rules, parts = languages[language][kind], languages[language].get("parts", {})
        whole = [written_out(phrase, parts) for phrase in rules["phrases"]]
        veto = written_out("|".join(rules["vetoes"]), parts)
        return _Group(
            phrases=[re.compile(rf"\b(?:{phrase})") for phrase in whole],
            needs=Needs([needs[language].get(phrase, ()) for phrase in rules["phrases"]]),
            veto=re.compile(rf"\b(?:{veto})"),
        )

    return _Phrases(
        groups={
            kind: {language: group(language, kind) for language, rules in languages.items() if kind in rules}
            for kind in _DECIDED
        },
        bare={" ".join(_words_of(text)): kind for kind in _DECIDED for text in data["bare"][kind]},
        courtesy=frozenset(map(_fold, data["courtesy"])),
        greeting=re.compile(rf"^{data['greeting']}\b[^,.!\n]{{0,40}}[,.!\n]\s*"),
        moods={
            language: (
                re.compile(rf"(?<!\w)(?:{'|'.join(rules['mood']['strong'])})(?!\w)"),
                re.compile(rf"(?<!\w)(?:{'|'.join(rules['mood']['mild'])})(?!\w)"),
            )
            for language, rules in languages.items()
            if "mood" in rules
        },
    )


def written_out(pattern: str, parts: Mapping[str, str]) -> str:
    """A pattern of ``data/answers.json`` with its parts in their places, and without accents as what it is tried on."""
    while _PART.search(pattern):
        pattern = _PART.sub(lambda found: parts[found[1]], pattern)
    return _without_accents(pattern)


def kind_of_answer(text: str, subject: str, language: str) -> Answer:
    """Tell what kind of answer a text is; the same text always gets the same answer, and nothing is ever raised.

    Args:
        text: what the customer wrote: no quoted mail, no signature (see `split_reply`). Its first 2,000
            characters are read.
        subject: the mail's own subject; one that repeats another mail's ("Re: …") is not read.
        language: of the text, as `detect_language` tells it. Outside English opt-outs, refusals and acceptances are
            known in German, French, Spanish, Dutch and Italian, and opt-outs alone in a few more.

    Returns:
        The kind. Who refuses one thing and accepts another gives no answer that a machine could act on: other.
    """
    own_subject = "" if unmarked(subject)[0] else subject.strip()
    sentences = [
        (_fold(sentence), sentence)
        for sentence in (own_subject[:_LONGEST_SENTENCE], *sentences_of(text[:_READ]))
        if sentence
    ]
    whole = text.strip() or own_subject
    bare = _kind_of_whole(whole)
    decided: dict[AnswerKind, str] = {bare: whole} if bare else {}
    for kind in _DECIDED:
        groups = _groups(kind, text, language)
        said = (sentence for folded, sentence in sentences if any(group.matches(folded) for group in groups))
        if evidence := next(said, None):
            decided.setdefault(kind, evidence)
    if "opt_out" in decided:
        return Answer("opt_out", decided["opt_out"])
    if len(decided) == 1:
        return Answer(*decided.popitem())
    if decided:
        return Answer("other")
    if not text.strip() or language not in UNDERSTOOD:
        return Answer("unreadable")
    asked = next((sentence for folded, sentence in sentences if _ASKS.search(folded)), None)
    return Answer("question", asked) if asked else Answer("other")


def outrage(text: str, language: str) -> str | None:
    """What shows that the writer is strongly unhappy, in German, French, Spanish, Dutch or Italian; else None.

    Args:
        text: what the customer wrote; its first 2,000 characters are read.
        language: of the text; where it is none of the five, or a guess because the text is short, all are tried.
    """
    folded = _fold(text[:_READ])
    moods = _phrases().moods
    for strong, mild in [moods[language]] if language in moods and len(text) > _SHORT else moods.values():
        for expressions, least in ((strong, 1), (mild, _MILD)):
            found = {
                match[0]: None
                for match in expressions.finditer(folded)
                if not _NEGATED.search(folded, max(0, match.start() - _NEAR), match.start())
            }
            if len(found) >= least:
                return ", ".join(found)
    return None


def _groups(kind: AnswerKind, text: str, language: str) -> Sequence[_Group]:
    """The phrases of the text's language, or of all where that is not sure."""
    groups = _phrases().groups[kind]
    if language in groups and (language == "en" or len(text) > _SHORT):
        return [groups[language]]
    return list(groups.values())


def _kind_of_whole(text: str) -> AnswerKind | None:
    """The kind of a text that is nothing but "STOP", "No thanks!" or the like, in any language."""
    if not text or len(text) > _LONGEST_BARE:
        return None
    known = _phrases()
    words = _words_of(known.greeting.sub("", _fold(text), count=1))
    plain = [word for word in words if word not in known.courtesy]
    return known.bare.get(" ".join(words)) or known.bare.get(" ".join(plain))


def _words_of(text: str) -> list[str]:
    return _WORD.findall(_fold(text).replace("'", ""))


@lru_cache(maxsize=256)
def _fold(text: str) -> str:
    """Lower case without accents, apostrophes straight."""
    return text.lower() if text.isascii() else _without_accents(text.lower().translate(_LETTERS))


def _without_accents(text: str) -> str:
    """The text without accents, and without what other scripts put above a letter."""
    letters = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
