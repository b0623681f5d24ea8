"""Which lines of a mail are somebody else's: quotes, the lines that attribute them, header blocks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from workers.insight.phrases import DIVIDERS, HEADERS, INTROS, WROTE

__all__ = ["Parts", "is_rule", "part_lines"]

_LONGEST_ATTRIBUTION: Final = 400  # characters; longer is prose
_LONGEST_LINE: Final = 500  # what matters of a longer one stands at its beginning
_ATTRIBUTION_LINES: Final = 6
_LONGEST_LABEL: Final = 24
_BLOCK_LINES: Final = 14

_FENCE: Final = re.compile(r"\s{0,3}(?:```|~~~)")
_QUOTED: Final = re.compile(r"[ \t\ufeff]{0,3}>")
_BARRED: Final = re.compile(r"[ \t]{0,3}[>|]")
_RULE: Final = re.compile(r"[ \t>]{0,4}(?:[-_=*~#—–]{3,}|(?:[-_*] ){3,})[ \t]*$")
_DATE: Final = re.compile(r"\b(?:19|20)\d\d\b|\b\d{1,2}[./-] ?\d{1,2}[./-] ?\d{2,4}\b|\b\d{1,2}[:.h]\d{2}\b|\d年|\d월")
_STARTS_WITH_DATE: Final = re.compile(
    r"(?:\w{2,10}[.,]{0,2} )?(?:\d{4}[./年-]|\d{4}년|\d{1,2}[./-] ?\d{1,2}|\d{1,2}[. ]{1,2}\w{3,})"
)
_ADDRESS: Final = re.compile(r"[<(\[] ?[^<>()\[\]\s]{1,100}@[^<>()\[\]\s]{1,100} ?[>)\]]|mailto:|&lt;")
_WROTE: Final = re.compile(
    "|".join(rf"(?<!\w){re.escape(verb)}(?!\w)" if verb[0] < "\u3000" else re.escape(verb) for verb in WROTE)
)
_END: Final = re.compile(r"[:\uff1a][*_ ]{0,3}$|(?:wrote|writes)[ \t]*-{2,}$")
_BROKEN_ADDRESS: Final = re.compile(r">[^>]{0,40}:$")  # the end of "<name@example.com\n> wrote:"
# GroupWise: >>> "Ann Lee" <ann@example.com> 10/4/2023 9:17 AM >>>
_GROUPWISE: Final = re.compile(r"[ \t]{0,3}>>> ?[^\s>].{3,200}\d.{0,40}>>>[ \t]*$")
_TAG: Final = re.compile(r"\[[A-Z]{2,4}\]")
_DASHED: Final = re.compile(r"[ \t>]{0,4}-{4,} ?\S.{0,60}?\S ?-{4,}[ \t]*$")
_LOTUS_DATE: Final = re.compile(r"\s{0,20}(?:\S.{0,80}\bon )?\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4},? {1,4}\d{1,2}:\d{2}\b")


@dataclass(frozen=True, slots=True)
class Parts:
    """Line numbers of a mail: the writer's own lines and the quoted ones, each ascending and disjoint.

    Blank lines between own lines are own lines; `code` are the own lines inside a code fence.
    """

    own: tuple[int, ...]
    quoted: tuple[int, ...]
    code: frozenset[int]


def part_lines(lines: Sequence[str]) -> Parts:
    """Say of every line whether the writer of this mail wrote it or quotes it.

    Args:
        lines: The mail's lines without line ends, in any language.

    Returns:
        `Parts` in which each line number occurs once, in `own` or in `quoted`. Linear in the text, never
        raises.
    """
    lines = [line[:_LONGEST_LINE] for line in lines]
    code = _code_lines(lines)
    ending = {number for number, line in enumerate(lines) if _may_attribute(line)}
    own: list[int] = []
    quoted: list[int] = []
    at, count = 0, len(lines)
    while at < count:
        line = lines[at]
        if at in code or not line.strip():
            own.append(at)
            at += 1
        elif _QUOTED.match(line) and not _is_groupwise(lines, at):
            end = _quote_end(lines, at, _QUOTED)
            quoted.extend(range(at, end))
            at = end
        elif not ending.isdisjoint(range(at, at + _ATTRIBUTION_LINES)) and (length := _attribution(lines, at)):
            follows = _next_text(lines, at + length)
            quoted.extend(range(at, min(follows, count)))
            if follows < count and _BARRED.match(lines[follows]):
                end = _quote_end(lines, follows, _BARRED)
                quoted.extend(range(follows, end))
                at = end
            elif any(lines[number].strip() for number in own):
                quoted.extend(range(follows, count))
                at = count
            else:
                # Nothing stands above the attribution, and nothing below is marked: what follows is all
                # there is.
                at = follows
        elif (start := _original_start(lines, at)) is not None:
            while own and own[-1] >= start:
                quoted.append(own.pop())
            quoted.extend(range(at, count))
            at = count
        else:
            own.append(at)
            at += 1
    answers = _tagged(lines, quoted, _tags(lines, own))
    own, quoted = sorted({*own, *answers}), [number for number in quoted if number not in answers]
    if quoted and not any(lines[number].strip() for number in own) and _only_marked(lines):
        # A mail of nothing but unattributed quote marks: somebody wrote it, so it is kept as it stands.
        return Parts(tuple(range(count)), (), frozenset(code))
    return Parts(tuple(own), tuple(sorted(quoted)), frozenset(code))


def _is_groupwise(lines: Sequence[str], at: int) -> bool:
    """Whether a line is GroupWise's attribution of the unmarked original below it."""
    line = lines[at]
    return ">>>" in line[:6] and _GROUPWISE.match(line) is not None and not _is_quote_next(lines, at + 1)


def _tags(lines: Sequence[str], own: Sequence[int]) -> tuple[str, ...]:
    """Initials in brackets by which the writer announces to answer inside the quote: "See [SW] below"."""
    found = (_TAG.findall(lines[number]) for number in own if "[" in lines[number])
    return tuple(dict.fromkeys(tag for tags in found for tag in tags))


def _tagged(lines: Sequence[str], quoted: Sequence[int], tags: tuple[str, ...]) -> set[int]:
    """The lines among the quoted ones that begin with a tag, and what follows each in its paragraph."""
    answers: set[int] = set()
    for number in quoted if tags else ():
        line = lines[number].lstrip(" \t>")
        follows = number - 1 in answers and bool(line) and lines[number][:1] not in {">", "|"}
        if line.startswith(tags) or follows:
            answers.add(number)
    return answers


def is_rule(line: str) -> bool:
    """Say whether a line is only a ruler: three or more dashes, underscores, stars, … ."""
    return _RULE.match(line) is not None


def _may_attribute(line: str) -> bool:
    """Whether an attribution may end in this line; cheap, because in most mails none does."""
    return "@" in line or line.rstrip().endswith(_ENDINGS) or "wrote:" in line.casefold()


_ENDINGS: Final = (":", "\uff1a", "*", "_", "-")


def _code_lines(lines: Sequence[str]) -> set[int]:
    fences = [number for number, line in enumerate(lines) if _FENCE.match(line)]
    code: set[int] = set()
    for start, end in zip(fences[::2], fences[1::2], strict=False):
        code.update(range(start, end + 1))
    return code


def _only_marked(lines: Sequence[str]) -> bool:
    return all(not line.strip() or _QUOTED.match(line) for line in lines) and not any(
        _END.search(line.strip()) and _WROTE.search(line.casefold()) for line in lines[:10]
    )


def _quote_end(lines: Sequence[str], at: int, mark: re.Pattern[str]) -> int:
    """The first line after a quote, counting lines its wrapping has broken off as part of it."""
    end = at
    while end < len(lines):
        if mark.match(lines[end]) or _is_broken_off(lines, end, mark):
            end += 1
        else:
            return end
    return end


def _is_broken_off(lines: Sequence[str], at: int, mark: re.Pattern[str]) -> bool:
    line = lines[at].strip()
    longest = 60  # a quoted line shorter than this was not wrapped
    return (
        bool(line)
        and len(lines[at - 1]) > longest
        and len(line) < longest // 2
        and at + 1 < len(lines)
        and mark.match(lines[at + 1]) is not None
        and bool(lines[at + 1].strip(" >|\t"))
    )


def _next_text(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and not lines[at].strip():
        at += 1
    return at


def _attribution(lines: Sequence[str], at: int) -> int:
    """How many lines from here attribute a quote ("On … wrote:"), wrapped ones included; 0 if none do."""
    joined = ""
    blanks = 0
    for taken in range(min(_ATTRIBUTION_LINES, len(lines) - at)):
        line = lines[at + taken].strip()
        if not line:
            blanks += 1
            if blanks > 1 or ("@" not in joined and not _DATE.search(joined)):
                return 0
            continue
        longer = f"{joined} {line}" if joined else line
        marked = taken and _QUOTED.match(line) and not (_BROKEN_ADDRESS.match(line) and _is_open(joined))
        if marked or len(longer) > _LONGEST_ATTRIBUTION:
            return 0
        joined = longer
        length = taken + 1
        if _END.search(joined):
            return length if _is_complete(lines, at, length, joined) else 0
        if "@" in line and _is_silent_attribution(joined) and _is_quote_next(lines, at + length):
            return length
        inline = joined.casefold().find("wrote:")
        if inline > 0 and "@" in joined and joined[:3].casefold() == "on ":
            # Yahoo on a telephone puts the quoted text on the attribution's own line.
            return length
    return 0


def _is_complete(lines: Sequence[str], at: int, length: int, joined: str) -> bool:
    """Whether lines that end like an attribution are one, all of them."""
    quote_follows = _is_quote_next(lines, at + length)
    return _is_attribution(joined, quote_follows=quote_follows) and not _begins_later(
        lines, at, length, quote_follows=quote_follows
    )


def _is_open(joined: str) -> bool:
    return joined.count("<") > joined.count(">")


def _begins_later(lines: Sequence[str], at: int, length: int, *, quote_follows: bool) -> bool:
    """Whether the first of these lines is still text, as the attribution below it is complete without it."""
    for later in range(at + 1, at + length):
        rest = " ".join(line.strip() for line in lines[later : at + length] if line.strip())
        folded = rest.casefold()
        begins = folded.split(maxsplit=1)[0] in INTROS or _STARTS_WITH_DATE.match(folded) is not None
        if begins and _DATE.search(folded) and _is_attribution(rest, quote_follows=quote_follows):
            return True
    return False


def _is_quote_next(lines: Sequence[str], at: int) -> bool:
    following = _next_text(lines, at)
    return following < len(lines) and _BARRED.match(lines[following]) is not None


def _is_attribution(joined: str, *, quote_follows: bool) -> bool:
    if not quote_follows and "@" not in joined and not any(map(str.isdigit, joined)):
        return False
    text = joined.casefold().lstrip("-*>_ \t\u200e\u202a")
    verb = _WROTE.search(text) is not None
    dated = _DATE.search(text) is not None
    addressed = _ADDRESS.search(text) is not None
    if verb and _ends_like_prose(text):
        return False
    if quote_follows:
        return verb or (dated and addressed)
    begins = text.split(maxsplit=1)[0].strip(",.") in INTROS if text else False
    if verb:
        return (
            (addressed and dated)
            or (dated and (begins or _STARTS_WITH_DATE.match(text) is not None))
            or (addressed and begins)
        )
    return dated and addressed and _STARTS_WITH_DATE.match(text) is not None


def _ends_like_prose(text: str) -> bool:
    """A clause ("On Tuesday she wrote that two were coming:") ends neither in the verb nor in a name."""
    found = re.search(r"\b(?:wrote|writes)\b", text)
    if found is None:
        return False
    rest = text[found.end() :].strip(" :-*_")
    if rest.startswith(("on ", "at ")) and _DATE.search(rest):
        return False
    return bool(rest) and "@" not in rest and not rest.startswith(("in message", "in news"))


def _is_silent_attribution(joined: str) -> bool:
    text = joined.casefold()
    return _STARTS_WITH_DATE.match(text) is not None and text.endswith((">", ")"))


def _original_start(lines: Sequence[str], at: int) -> int | None:
    """Where an original that runs to the mail's end begins, if this line is its divider or first header."""
    line = lines[at]
    start = at
    if _is_divider(line) or _is_groupwise(lines, at):
        return start
    if _DASHED.match(line) and any(_header_kind(after) for after in lines[at + 1 : at + 5]):
        return start
    kind = _header_kind(line)
    if kind is None or not _is_header_block(lines, at):
        return None
    while start > 0 and (not lines[start - 1].strip() or is_rule(lines[start - 1])):
        start -= 1
    if kind != "from":
        return _lotus_start(lines, start)
    while line.startswith("\t") and start > 0 and (not lines[start - 1].strip() or lines[start - 1].startswith("\t")):
        # Lotus Notes indents the sender's company and name as one group.
        start -= 1
    return start


def _is_divider(line: str) -> bool:
    longest = 240
    text = line[:longest].strip(_RULING).casefold()
    if not text.startswith(DIVIDERS):
        return False
    # Dashes around the phrase, or the phrase alone with a colon ("Begin forwarded message:").
    dashes = 4
    if text in _WHOLE_DIVIDERS and "above this line" in text:
        return True
    if sum(line[:longest].count(mark) for mark in "-_=*~") >= dashes:
        return True
    return text.endswith((":", "\uff1a")) and text[:-1].strip() in _WHOLE_DIVIDERS


_RULING: Final = "-_=*~>|# \t"
_WHOLE_DIVIDERS: Final = frozenset(DIVIDERS)


@lru_cache(maxsize=2_048)
def _header_kind(line: str) -> str | None:
    """Which header a line is (`from`, `date`, `to`, `subject`, `other`), in any language, if it is one."""
    head = line[: _LONGEST_LABEL + 16].lstrip(" \t*_>|\ufeff")
    for colon in (":", "\uff1a"):
        cut = head.find(colon)
        if 0 < cut <= _LONGEST_LABEL:
            return HEADERS.get(head[:cut].strip(" \t*_\u00a0").casefold())
    return None


def _is_header_block(lines: Sequence[str], at: int) -> bool:
    kinds: set[str] = set()
    addressed = False
    misses = 0
    allowed = 2  # lines that only continue a long header, or blank ones
    for line in lines[at : at + _BLOCK_LINES]:
        kind = _header_kind(line)
        if kind is None:
            misses += 1
            if misses > allowed:
                break
            continue
        misses = 0
        kinds.add(kind)
        addressed = addressed or (kind == "from" and ("@" in line or _DATE.search(line) is not None))
    known = kinds - {"other"}
    enough = 3
    if len(known) >= enough or (len(known) == enough - 1 and addressed):
        return True
    return len(kinds) >= enough and {"to", "subject"} <= kinds


def _lotus_start(lines: Sequence[str], start: int) -> int:
    """Lotus Notes writes the sender and the date without labels above "To:"."""
    at = start - 1
    while at >= 0 and not lines[at].strip():
        at -= 1
    if at < 0:
        return start
    if _header_kind(lines[at]) == "other" or lines[at].strip().casefold().startswith("please respond to"):
        at -= 1
    if at < 0 or not _LOTUS_DATE.match(lines[at]):
        return start
    above = at - 1
    words = len(lines[above].split()) if above >= 0 else 0
    most_words = 5
    if " on " not in lines[at] and 0 < words <= most_words and not lines[above].rstrip().endswith((".", "!", "?")):
        at = above
    return at
