"""The lines that say whose words follow: "On Tuesday, 4 March 2025 at 10:12, Ann Lee <ann@shop.example> wrote:".

One is recognised by what it holds, not by a pattern per language: a verb of writing, a date, an address, a colon at
its end. It may be wrapped over several lines, but it never reaches across a finished sentence.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from workers.insight.contact_words import word_set
from workers.insight.phrases import ABBREVIATIONS, DATE_WORDS, INTROS, SAID, WROTE

__all__ = [
    "BARRED",
    "DATE",
    "QUOTED",
    "attribution_length",
    "attribution_starts",
    "ends_in_verb",
    "is_quote_next",
    "without_inline_attributions",
]

_LONGEST: Final = 400  # characters; longer is prose
_MOST_LINES: Final = 6

# Looking ahead for a digit first spares trying each form at each letter.
DATE: Final = re.compile(
    r"(?=\d)(?:\b(?:19|20)\d\d\b|\b\d{1,2}[./-] ?\d{1,2}[./-] ?\d{2,4}\b|\b\d{1,2}[:.h]\d{2}\b|\d年|\d월)"
)
_STARTS_WITH_DATE: Final = re.compile(
    r"(?:\w{2,10}[.,]{0,2} )?(?:\d{4}[./年-]|\d{4}년|\d{1,2}[./-] ?\d{1,2}|\d{1,2}[., ]{1,2}\w{3,})"
)
_ADDRESS: Final = re.compile(r"[<(\[] ?[^<>()\[\]\s]{1,100}@[^<>()\[\]\s]{1,100} ?[>)\]]|mailto:|&lt;")
_FULL_DATE: Final = re.compile(
    r"\b(?:19|20)\d\d[-./]\d{1,2}[-./]\d{1,2}\b|\b\d{1,2}[./-] ?\d{1,2}[./-] ?\d{2,4}\b"
    r"|\b\d{1,2}(?:st|nd|rd|th)?[. ]{1,2}(?:de )?[^\W\d_]{3,10}[., ]{1,2}(?:de )?(?:19|20)\d\d\b"
    r"|\b[^\W\d_]{3,10}\.? \d{1,2}(?:st|nd|rd|th)?,? (?:19|20)\d\d\b"
)
_WORD: Final = re.compile(r"\w+")
_VERBS: Final = frozenset(verb for verb in WROTE if _WORD.fullmatch(verb) and verb[0] < "\u3000")
_VERB_PHRASES: Final = tuple(verb for verb in WROTE if verb not in _VERBS)  # two words, or none between spaces
_END: Final = re.compile(r"[:\uff1a][*_ ]{0,3}$|(?:wrote|writes)[ \t]*-{2,}$|\bsays\.{3}$")
_BROKEN_ADDRESS: Final = re.compile(r">[^>]{0,40}:$")  # the end of "<name@example.com\n> wrote:"
_LETTER: Final = re.compile(r"[^\W_]")
QUOTED: Final = re.compile(r"[ \t\ufeff]{0,3}>")
# A bar marks a quote only below its attribution, and so do The Bat's initials of whom it quotes: "AL> ".
BARRED: Final = re.compile(r"[ \t]{0,3}(?:[>|]|[A-ZÀ-ÖØ-ÞА-Я]{1,3}>)")
# Behind a word of two letters or more, so that "p.m." ends nothing; what follows has to begin with a capital.
_SENTENCE_END: Final = re.compile(r"[.!?…]{1,3}[\"”')]?(?:\s+(?=[A-ZÀ-ÖØ-Þ])|$)")
_LAST_WORD: Final = re.compile(r"[^\W\d_]{2,}$")
_WROTE: Final = re.compile(r"\b(?:wrote|writes)\b")
_NAME: Final = re.compile(r"[^\W\d_][^\s,;:()\[\]]*")
_BETWEEN: Final = frozenset(
    {"from", "by", "via", "von", "di", "da", "av", "af", "of", "van", "od", "przez", "per", "um", "kl"}
)
# Words that attributions do without, but for those that also belong to a date.
_PROSE: Final = word_set("stopwords") - {"from", "um", "per", "der", "die", "das", "the"}
_LAST_SIGNS: Final = (":", "\uff1a", "*", "_", "-", "...")
_INLINE: Final = re.compile(
    r"\s(?=[ADEILOPW])(?=(?:On|Am|Le|El|Il giorno|Il|Op|Em|Den|På|W dniu|Dne|Dnia)\s+"
    r"(?:[^\W\d_]{2,12}\.?,?\s+)?(?:\d{1,4}[./\s,-]|[A-Z][a-z]{2,8}\.? \d))"
)


def attribution_starts(lines: Sequence[str]) -> set[int]:
    """The numbers of the lines at which an attribution may begin; cheap, because in most mails none does."""
    starts: set[int] = set()
    addressed = any("@" in line for line in lines)
    quote_follows = False
    for number in range(len(lines) - 1, -1, -1):
        line = lines[number].rstrip()
        if not line:
            continue
        if quote_follows or line.endswith(_LAST_SIGNS) or (addressed and _may_end(line.casefold())):
            starts.update(range(number - _MOST_LINES + 1, number + 1))
        quote_follows = BARRED.match(line) is not None
    return starts


def _may_end(folded: str) -> bool:
    """Whether a line may be the last one of an attribution with an address and without a colon at its end."""
    return folded.endswith(WROTE) or "wrote:" in folded


def ends_in_verb(line: str) -> bool:
    """Whether a line, marked as a quote or not, ends like an attribution: "> Ann Lee wrote:"."""
    return _ends(line.strip()) and _has_verb(line.casefold())


def attribution_length(lines: Sequence[str], at: int, *, answered: bool = True) -> int:
    """Count the lines from here that attribute a quote, wrapped ones and blank ones between them included.

    Args:
        lines: The lines of a mail.
        at: Where the attribution would begin.
        answered: Whether something was said above. If not, "Leeds, 4 March 2025" above a quote is an answer to it
            rather than who wrote it, and when.

    Returns:
        How many lines; 0 if none attribute anything.
    """
    for joined, length in _joined(lines, at):
        # Behind an open bracket, "> wrote:" is its end and no quote.
        quote_follows = not _is_open(joined) and is_quote_next(lines, at + length)
        if _is_attribution(joined, quote_follows=quote_follows):
            if not answered and not (_ends(joined) or _ADDRESS.search(joined) or _has_verb(joined.casefold())):
                return 0
            return 0 if _begins_later(lines, at, length, quote_follows=quote_follows) else length
        if _ends(joined):
            return 0
        if "@" in joined and joined[:3].casefold() == "on " and joined.casefold().find("wrote:") > 0:
            # Yahoo on a telephone puts the quoted text on the attribution's own line.
            return length
    return 0


def _joined(lines: Sequence[str], at: int) -> Iterator[tuple[str, int]]:
    """What an attribution from this line on could be: the lines up to each next one in one, and how many they are."""
    joined = ""
    blanks = 0
    for taken in range(min(_MOST_LINES, len(lines) - at) if _LETTER.search(lines[at]) else 0):
        line = lines[at + taken].strip()
        if not line:
            blanks += 1
            if blanks > 1 or ("@" not in joined and not DATE.search(joined)):
                return
            continue
        longer = f"{joined} {line}" if joined else line
        marked = taken and QUOTED.match(line) and not (_BROKEN_ADDRESS.match(line) and _is_open(joined))
        if marked or len(longer) > _LONGEST or _is_finished(joined, line):
            return
        joined = longer
        yield joined, taken + 1


def without_inline_attributions(lines: Sequence[str]) -> list[str]:
    """Break each line in two in whose middle an attribution begins: "Fine with me. On 4 March 2025, Ann … wrote:"."""
    if not any("@" in line for line in lines):
        return list(lines)
    broken: list[str] = []
    for at, line in enumerate(lines):
        start = _inline_start(lines, at)
        broken.extend([line[:start], line[start:].lstrip()] if start else [line])
    return broken


def _inline_start(lines: Sequence[str], at: int) -> int:
    """Where in a line an attribution begins behind other text; 0 if none does."""
    line = lines[at]
    for found in _INLINE.finditer(line[:_LONGEST]):
        start = len(line[: found.start()].rstrip())
        if BARRED.match(line) or _LETTER.search(line, 0, start) is None:
            continue
        rest = [line[found.end() :], *lines[at + 1 : at + _MOST_LINES]]
        if not any("@" in each for each in rest):
            break
        length = attribution_length(rest, 0)
        joined = " ".join(rest[:length]).casefold()
        if length and "@" in joined and DATE.search(joined) and _has_verb(joined):
            return start
    return 0


def _ends(joined: str) -> bool:
    """Whether a text without spaces around it ends like an attribution."""
    return joined.endswith(_LAST_SIGNS) and _END.search(joined) is not None


def _has_verb(folded: str) -> bool:
    return not _VERBS.isdisjoint(_WORD.findall(folded)) or any(phrase in folded for phrase in _VERB_PHRASES)


def _is_open(joined: str) -> bool:
    return joined.count("<") > joined.count(">")


def _is_finished(joined: str, line: str) -> bool:
    """Whether a sentence ends in what was joined so far, before the line that would be next."""
    text = f"{joined} {line[:1]}"
    for found in _SENTENCE_END.finditer(text):
        end = found.start()
        word = _LAST_WORD.search(text, text.rfind(" ", 0, end) + 1, end)
        if word and found.end() <= len(joined) + 1 and word[0].casefold() not in ABBREVIATIONS:
            return True
    return False


def _begins_later(lines: Sequence[str], at: int, length: int, *, quote_follows: bool) -> bool:
    """Whether the first of these lines is still text, as the attribution below it is complete without it."""
    for later in range(at + 1, at + length):
        if not lines[later].strip():
            continue
        rest = " ".join(line.strip() for line in lines[later : at + length] if line.strip())
        folded = rest.casefold()
        begins = folded.split(maxsplit=1)[0] in INTROS or _STARTS_WITH_DATE.match(folded) is not None
        head = " ".join(line.strip() for line in lines[at:later]).casefold()
        apart = not lines[later - 1].strip() and not (head.startswith("on ") and _FULL_DATE.search(head))
        if (apart or (begins and DATE.search(folded))) and _is_attribution(rest, quote_follows=quote_follows):
            return True
    return False


def is_quote_next(lines: Sequence[str], at: int) -> bool:
    """Whether the next line with text, from this one on, is marked as a quote."""
    following = at
    while following < len(lines) and not lines[following].strip():
        following += 1
    return following < len(lines) and BARRED.match(lines[following]) is not None


def _is_attribution(joined: str, *, quote_follows: bool) -> bool:
    ends = _ends(joined)
    text = joined.casefold().lstrip("-*>_ \t\u200e\u202a")
    may_be = quote_follows or ((ends or text.endswith(WROTE)) and ("@" in joined or any(map(str.isdigit, joined))))
    if not text or not may_be:
        return False
    verb = _has_verb(text)
    if verb and _ends_like_prose(text):
        return False
    if not ends:
        return _is_silent(joined, text, verb=verb, quote_follows=quote_follows)
    dated = DATE.search(text) is not None
    addressed = _ADDRESS.search(text) is not None
    starts_with_date = _STARTS_WITH_DATE.match(text) is not None
    if quote_follows:
        return verb or (dated and addressed) or _is_who_and_when(joined)
    if verb:
        begins = text.split(maxsplit=1)[0].strip(",.") in INTROS
        return (addressed and (dated or begins)) or (dated and (begins or starts_with_date))
    return dated and starts_with_date and (addressed or ("@" in text and _is_who_and_when(joined)))


def _is_silent(joined: str, text: str, *, verb: bool, quote_follows: bool) -> bool:
    """Whether lines without a colon at their end attribute what follows."""
    dated = DATE.search(text) is not None
    if not quote_follows:
        # "On 4 March 2025 Ann Lee <ann@shop.example> wrote"
        return verb and dated and _ADDRESS.search(text) is not None and text.endswith(WROTE)
    if text.endswith((".", "!", "?")):
        return False
    if verb:
        return dated or "@" in text or text.split(maxsplit=1)[0].strip(",.") in INTROS
    if _STARTS_WITH_DATE.match(text) and "@" in text and text.endswith((">", ")")):
        return True
    return _is_who_and_when(joined)


def _is_who_and_when(joined: str) -> bool:
    """Whether a line above a quote is nothing but a name with a date or an address: "Ann Lee, 4 March 2025".

    "4 March 2025 works" may be the answer to what is quoted.
    """
    most_words = 12
    text = joined.rstrip(" :*_.")
    bare = " ".join(word for word in _ADDRESS.sub(" ", text).split() if "@" not in word)
    words = [word for word in _NAME.findall(bare) if word.casefold() not in DATE_WORDS]
    if len(words) > most_words or not _PROSE.isdisjoint(map(str.casefold, words)):
        return False
    if words and words[-1].casefold() in SAID:
        return len(words) > 1
    named = [word for word in words if word.casefold() not in INTROS | _BETWEEN]
    addressed = _ADDRESS.search(joined) is not None
    if not all(word[0].isupper() or not word[0].islower() for word in named):
        return False
    return addressed or ((bool(named) or "@" in text) and _FULL_DATE.search(text.casefold()) is not None)


def _ends_like_prose(text: str) -> bool:
    """A clause ("On Tuesday she wrote that two were coming:") ends neither in the verb nor in a name."""
    found = _WROTE.search(text)
    if found is None:
        return False
    rest = text[found.end() :].strip(" :-*_")
    if rest.startswith(("on ", "at ")) and DATE.search(rest):
        return False
    return bool(rest) and "@" not in rest and not rest.startswith(("in message", "in news"))
