"""Find the name in a signature's pieces, and what else stands on its line."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from workers.insight.contact_words import (
    COMPANY_WORDS,
    has_legal_form,
    is_name_like,
    is_title_like,
    word_set,
    words_of,
)
from workers.insight.signature_pieces import MARKS, without_nominals, without_pronouns
from workers.insight.signature_values import Field

__all__ = ["Named", "find_name"]

_FIRST: Final = 4  # pieces: a name stands at the top of a signature or after a closing
_MOST_INITIALS: Final = 2  # "MM", "TB"

# Degrees and the like belong to a name; qualifications ("CPA", "RN") stand behind it and are no field.
_DEGREE: Final = re.compile(r",? (?:Ph\.?D\.?|MBA|M\.?Sc\.?|B\.?Sc\.?|Esq\.?|Jr\.?|Sr\.?|MD|M\.D\.|LL\.?M\.?)$")
_NAME_PARTS: Final = re.compile(r"[.'’-]")
_NO_LETTER: Final = re.compile(r"[\W\d_]")
_KISSES: Final = re.compile(r"[ ,.]+[xX]{1,3}\.?$")
_AND_TEAM: Final = re.compile(
    r"^(?P<name>[^\W\d_][\w'’-]{1,20}) (?:and|&|und|et|y|e|en|och|og|i) (?:the|das|l'|el|il|het) .{2,40}$"
)
_NAME_AT: Final = re.compile(
    r"^(?P<name>[^\W\d_][\w'’-]{1,20}(?: [^\W\d_][\w'’-]{1,20})?)"
    r" (?:@|at|from|bei|von|chez|de chez|bij|van) (?P<company>\w.{2,40})$"
)
_AT_DASH: Final = re.compile(r"(?P<head>[^\d]{3,40}?) +- +(?P<rest>.+)$")
_AT_NUMBER: Final = re.compile(r"(?P<head>[^\d+(]{3,40}?)[ ,]+[+(]?\d.{5,}$")
_BEFORE_NAMES: Final = word_set("before_names")
_ON_BEHALF: Final = re.compile(r"^(?:i\. ?[AV]\.|ppa\.?|p\.p\.|per pro)\s+", re.IGNORECASE)


class Named(NamedTuple):
    """The name, what follows it on its line ("CTO, Acme Ltd"; "" if nothing), and the pieces up to its own."""

    name: Field
    rest: str
    used: int


def find_name(pieces: Sequence[str], people: frozenset[str]) -> Named | None:
    """Find the piece that names the sender.

    "Thanks, Dan" above "Dan Rivera, Director of Sales": what stands above the full name is the sign-off.

    Args:
        pieces: The signature's pieces, in order.
        people: The parts of the sender's name, in lower case; empty if unknown.
    """
    best: Named | None = None
    for index, piece in enumerate(pieces[: _FIRST + 2]):
        name, rest = _split(piece, people)
        if not name:
            continue
        tokens = {part for word in words_of(name) for part in _NAME_PARTS.split(word)}
        known = bool(tokens & people)
        if index >= _FIRST and not known:
            continue
        several = len(words_of(name)) > 1
        if not known and (has_legal_form(name) or (is_title_like(name) and not rest) or tokens & COMPANY_WORDS):
            continue
        initials = len(_NO_LETTER.sub("", name)) <= _MOST_INITIALS and name.isascii()
        if initials or (people and not known and not several and index > 0):
            continue
        score = round(0.5 + 0.3 * known + 0.15 * several - 0.02 * index, 2)
        if best is None or score > best.name.confidence:
            best = Named(Field(name, score), rest, index + 1)
        if known and several:
            break  # no later name is surer
    return best


def _split(piece: str, people: frozenset[str]) -> tuple[str, str]:
    """The name a piece begins with and what follows it; two empty texts without a name."""
    piece = _ON_BEHALF.sub("", without_pronouns(piece)).strip(MARKS)
    first, _, behind = piece.partition(" ")
    if behind and first.casefold() in _BEFORE_NAMES:
        piece = behind
    piece = without_nominals(_KISSES.sub("", piece) if piece[-1:] in {"x", "X", "."} else piece)
    if behind and first.casefold() in people:
        for signed in filter(None, (_AND_TEAM.match(piece), _NAME_AT.match(piece))):
            if {*words_of(signed["name"])} <= people:
                return signed["name"], signed.groupdict().get("company", "")
    whole = _DEGREE.sub("", piece)
    if is_name_like(whole) and ("," not in whole or _is_reversed(whole, people)) and _is_person(whole, people):
        return piece, ""
    head, mark, rest = piece.partition(",")
    if not mark and (dash := _AT_DASH.match(piece)) is not None:
        head, rest = dash["head"], dash["rest"]
    elif not mark:
        number = _AT_NUMBER.match(piece)
        head, rest = (number["head"], "") if number else ("", "")
    head = head.strip(MARKS)
    return (head, rest.strip(MARKS)) if is_name_like(head) and _is_person(head, people) else ("", "")


def _is_person(name: str, people: frozenset[str]) -> bool:
    return not is_title_like(name) or not people.isdisjoint(words_of(name))


def _is_reversed(whole: str, people: frozenset[str]) -> bool:
    last, _, first = whole.partition(",")
    return {*words_of(last)} <= people and {*words_of(first)} <= people
