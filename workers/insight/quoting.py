"""Which lines of a mail are somebody else's: quotes, the lines that attribute them, header blocks."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from workers.insight.attributions import (
    BARRED,
    QUOTED,
    attribution_length,
    attribution_starts,
    ends_in_verb,
    is_quote_next,
)
from workers.insight.mail_headers import is_groupwise, original_start

__all__ = ["Parts", "part_lines", "without_marks"]

_LONGEST_LINE: Final = 500  # what matters of a longer one stands at its beginning

_FENCE: Final = re.compile(r"\s{0,3}(?:```|~~~)")
_MARK: Final = re.compile(r"[ \t\ufeff]{0,3}> ?")
_TAG: Final = re.compile(r"\[[A-Z]{2,4}\]")
_NESTED: Final = re.compile(r"[ \t]{0,3}>[ \t]?>")
_FRAMED: Final = re.compile(r"[ \t]{0,3}>{2,} ?[^<>]+<{2,}\s*$")  # ">>> URGENT <<<"
_MORE_THAN: Final = re.compile(r"[ \t]{0,3}>\d")  # ">30 degrees"
_UNFINISHED: Final = re.compile(r"[^.!?:;…]\s*$")


class Parts(NamedTuple):
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
    starts = attribution_starts(lines)
    own: list[int] = []
    quoted: list[int] = []
    at, count = 0, len(lines)
    while at < count:
        line = lines[at]
        if at in code or not line.strip():
            own.append(at)
            at += 1
        elif QUOTED.match(line) and not is_groupwise(lines, at):
            end = _quote_end(lines, at, QUOTED)
            (own if _is_decoration(lines, at, end, quoted) else quoted).extend(range(at, end))
            at = end
        elif at in starts and (length := attribution_length(lines, at, answered=_has_text(lines, own))):
            follows = _next_text(lines, at + length)
            quoted.extend(range(at, min(follows, count)))
            if follows < count and BARRED.match(lines[follows]):
                end = _quote_end(lines, follows, BARRED)
                quoted.extend(range(follows, end))
                at = end
            elif _has_text(lines, own):
                quoted.extend(range(follows, count))
                at = count
            else:
                # Nothing stands above the attribution, and nothing below is marked: what follows is all
                # there is.
                at = follows
        elif (start := original_start(lines, at)) is not None:
            while own and own[-1] >= start:
                quoted.append(own.pop())
            quoted.extend(range(at, count))
            at = count
        else:
            own.append(at)
            at += 1
    return _answered(lines, own, quoted, code) if quoted else Parts(tuple(own), (), frozenset(code))


def without_marks(lines: Sequence[str]) -> list[str]:
    """Take one quote mark off each line, if all lines with text have one; else return them as they are."""
    if not all(QUOTED.match(line) for line in lines if line.strip()):
        return list(lines)
    return [_MARK.sub("", line, count=1) for line in lines]


def _answered(lines: Sequence[str], own: Sequence[int], quoted: Sequence[int], code: set[int]) -> Parts:
    """The parts of a mail that quotes something, in which the writer may have answered inside the quote."""
    answers = _tagged(lines, quoted, _tags(lines, own))
    own, quoted = sorted({*own, *answers}), [number for number in quoted if number not in answers]
    if not _has_text(lines, own) and _only_marked(lines):
        # A mail of nothing but unattributed quote marks: somebody wrote it, so it is kept as it stands.
        return Parts(tuple(range(len(lines))), (), frozenset(code))
    return Parts(tuple(own), tuple(sorted(quoted)), frozenset(code))


def _is_decoration(lines: Sequence[str], at: int, end: int, quoted: Sequence[int]) -> bool:
    """Whether marked lines are the writer's own: ">>> URGENT <<<", ">30 degrees", a list of ">>" lines.

    Nobody quotes only what was quoted before: where every mark is double, and nothing single was quoted above, it is
    a bullet.
    """
    marked = [line for line in lines[at:end] if line.strip()]
    if all(map(_FRAMED.match, marked)):
        return True
    if quoted or is_quote_next(lines, end):
        return False
    return all(map(_NESTED.match, marked)) or (len(marked) == 1 and _MORE_THAN.match(marked[0]) is not None)


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


def _code_lines(lines: Sequence[str]) -> set[int]:
    fences = [number for number, fence in enumerate(map(_FENCE.match, lines)) if fence]
    code: set[int] = set()
    for start, end in zip(fences[::2], fences[1::2], strict=False):
        code.update(range(start, end + 1))
    return code


def _only_marked(lines: Sequence[str]) -> bool:
    top = 10
    return all(not line.strip() or QUOTED.match(line) for line in lines) and not any(map(ends_in_verb, lines[:top]))


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
    """Whether a line below a quoted one is the rest of it, which a mail program wrapped without a mark.

    The quoted line is long and its sentence goes on; the rest is shorter, and more of the quote follows or it begins
    small, as an answer would not.
    """
    above, line = lines[at - 1], lines[at].strip()
    longest = 60  # a quoted line shorter than this was not wrapped
    if not line or not mark.match(above) or len(above) <= longest or len(line) >= longest:
        return False
    goes_on = at + 1 < len(lines) and mark.match(lines[at + 1]) is not None
    return _UNFINISHED.search(above) is not None and (goes_on or line[0].islower())


def _has_text(lines: Sequence[str], numbers: Sequence[int]) -> bool:
    return any(lines[number].strip() for number in numbers)


def _next_text(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and not lines[at].strip():
        at += 1
    return at
