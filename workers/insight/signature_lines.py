"""Find a mail's signature: which of its last lines close and sign it.

A logistic regression scores each line of the mail's tail by its features; the signature is the run of lines, up to the
last one, whose scores add up highest. The weights are trained by training/signature.py.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import Final

from workers.insight.contact_words import (
    EMAIL,
    URL,
    closing_rest,
    is_kind_word,
    is_name_like,
    sender_tokens,
    word_set,
    words_of,
)
from workers.insight.footers import DELIMITER, RULER, footer_start, is_picture
from workers.insight.given_names import is_given_name
from workers.insight.phrases import INVITATIONS, NO_FAREWELLS, load
from workers.insight.roles import fold
from workers.insight.signature_features import (
    LONGEST_LINE,
    NUMBER,
    STOPWORDS,
    is_office,
    line_features,
    shape_of,
)

__all__ = ["find_signature", "signature_above"]

_MOST_DELIMITED: Final = 20
_LAST_LINES: Final = 120
_CAP: Final = 200_000
_OPEN: Final = STOPWORDS | word_set("open_ends")  # no sentence ends in such a word

_TRAINED: Final = load("signature_weights")
_WEIGHTS: Final[dict[str, float]] = _TRAINED["weights"]
_THRESHOLD: Final[float] = _TRAINED["threshold"]


def find_signature(text: str | Sequence[str], sender: str | None = None) -> tuple[int, ...]:
    """Find the lines that sign a mail: closing, name, contact details, and a "-- " before them.

    The mail should not carry a quote below its signature (see `split_reply`); lines that programs add below it ("Sent
    from my …", legal notices) are passed over and are not part of the answer.

    Args:
        text: A mail's own text, or its lines without line ends.
        sender: Who sent it, as in the From header; improves the result, None if unknown.

    Returns:
        Ascending line numbers, without blank lines; empty if the mail is not signed. Never raises. Only the last
        120 lines and 400 characters of each are read.
    """
    lines = text[-_CAP:].replace("\r\n", "\n").split("\n") if isinstance(text, str) else text
    skipped = text[:-_CAP].replace("\r\n", "\n").count("\n") if isinstance(text, str) else 0
    return tuple(number + skipped for number in signature_above(lines, footer_start(lines), sender))


def signature_above(lines: Sequence[str], end: int, sender: str | None) -> Sequence[int]:
    """Do what :func:`find_signature` does for a mail's own lines, of which programs added those from `end` on."""
    first = max(0, end - _LAST_LINES)
    cut = ((number, lines[number][:LONGEST_LINE]) for number in range(first, end))
    shown = [(number, line) for number, line in cut if line.strip()]
    # A slogan below the signature is no part of it; without a signature above, it is the writer's text.
    kept = len(shown) - _trailer_length(shown)
    found = _signed(shown[:kept], lines, sender)
    if not found and kept < len(shown):
        found = _signed(shown, lines, sender)
    return found


def _signed(shown: Sequence[tuple[int, str]], lines: Sequence[str], sender: str | None) -> list[int]:
    """The numbers of the lines that sign, among (number, line) of those with text."""
    cut = _delimited(shown)
    # What "-- " has announced is certain; the closing and the name above it still have to be found.
    found = [number for number, _ in shown[cut:]]
    above = shown[:cut]
    features = line_features(above, lines, sender)
    rows = [*[()] * (len(above) - len(features)), *features]
    best, total, start = (_THRESHOLD, 0.0, len(above))
    for index in range(len(above) - 1, len(above) - 1 - len(features), -1):
        total += sum(map(_WEIGHTS.get, rows[index], repeat(0.0)))
        if total > best:
            best, start = total, index
    start = _with_head(above, start)
    while start < len(above) and _is_text(above, rows, start):
        start += 1
    if not found and not _is_anchored(rows[start:], above, start, sender_tokens(sender)):
        start = len(above)
    if start == len(above) and not found and len(above) > 1:
        start -= _is_farewell(above[-1][1]) or _is_initial(rows[-1], above)
    return [number for number, _ in above[start:]] + found


def _is_text(above: Sequence[tuple[int, str]], rows: Sequence[tuple[str, ...]], start: int) -> bool:
    """Whether the first line found is still text: an office, a wish, what stands apart above the own name."""
    line, row = above[start][1], rows[start]
    if is_office(line) or is_kind_word(line):
        return True
    own = next((index for index in range(start + 1, len(rows)) if "sender_only" in rows[index]), start)
    if own == start or any(not _CLOSES.isdisjoint(rows[index]) for index in range(start, own)):
        return False
    apart = above[own][0] > above[own - 1][0] + 1
    return (apart or ("name" in row and _DETAILS.isdisjoint(row))) and not line.rstrip().endswith(",")


_CLOSES: Final = frozenset({"closing", "closing_name", "sender"})
_DETAILS: Final = frozenset({"title", "company", "contact"})


def _is_initial(row: tuple[str, ...], above: Sequence[tuple[int, str]]) -> bool:
    """Whether the sender's initials stand alone below what was said; "Hi Ann, / B" is an answer."""
    return {"initials", "blank=10"} <= set(row) and any("prose" in shape_of(line) for _, line in above[:-1])


def _is_farewell(line: str) -> bool:
    """Whether a line only takes leave ("Avec nos meilleures salutations"): a name may be missing below it."""
    text = " ".join(line.strip(" \t*_-–—~").casefold().split())
    return " " in text and closing_rest(line) == "" and not text.startswith(NO_FAREWELLS)


def _trailer_length(shown: Sequence[tuple[int, str]]) -> int:
    """How many of the last lines are slogans, pictures and invitations to follow, rate or donate."""
    most = 6
    length = 0
    while length < min(most, len(shown)) and _is_trailer(shown[-1 - length][1]):
        length += 1
    return length


def _is_trailer(line: str) -> bool:
    text = line.strip(" \t*_~")
    longest = 160
    if not 1 < len(text) <= longest:
        return False
    slogan = (text[0], text[-1]) in _QUOTE_MARKS and not any(char.isdigit() for char in text)
    return slogan or is_picture(text) or text.casefold().startswith(INVITATIONS)


_QUOTE_MARKS: Final = frozenset({('"', '"'), ("“", "”"), ("„", "“"), ("„", "”"), ("«", "»"), ("'", "'"), ("‘", "’")})


def _with_head(above: Sequence[tuple[int, str]], start: int) -> int:
    """Add the name on top of a block of details and the closing above it, which stand far from the end."""
    if not 0 < start < len(above):
        return start
    if shape_of(above[start][1]) & _DETAILS and above[start - 1][0] == above[start][0] - 1 and start > 1:
        head = shape_of(above[start - 1][1])
        # Names above a name are a list; a signature's name has a gap or other text above it.
        alone = above[start - 2][0] < above[start - 1][0] - 1 or "name" not in shape_of(above[start - 2][1])
        if head & {"name", "signed"} and alone:
            start -= 1
    if start > 0 and "name" in shape_of(above[start - 1][1]) and _is_part(above[start - 1][1], above[start][1]):
        start -= 1  # "Dan" above "Dan Rivera"
    return start - 1 if start > 0 and closing_rest(above[start - 1][1]) == "" else start


def _is_part(name: str, whole: str) -> bool:
    words = words_of(whole)
    return 0 < len(words_of(name)) < len(words) and set(words_of(name)) <= set(words)


def _is_anchored(
    rows: Sequence[tuple[str, ...]], above: Sequence[tuple[int, str]], start: int, people: frozenset[str]
) -> bool:
    """Telephone numbers and addresses alone sign nothing, nor do names that the line above announces."""
    if not rows:
        return False
    names = {name for row in rows for name in row}
    announced = start > 0 and _announces(above[start - 1][1])
    # "Our new bank details: / Acme Ltd / IBAN …" names the sender's company and signs nothing.
    if names & {"closing", "closing_name", "sender_only" if announced else "sender"}:
        return True
    # Who only answers "Hi Ann, / Approved" signs nothing: a lone word is a name below something that was
    # said.
    said = any(len(words_of(line)) > _MOST_NAMES for _, line in above[:start])
    if "initials" in names and said:
        return True
    listed = start > 0 and above[start][0] == above[start - 1][0] + 1 and is_name_like(above[start - 1][1])
    only_names = (len(rows) > _MOST_NAMES and not names & _DETAILS) or all("title" in row for row in rows)
    if announced or not _may_be_sender(above[start][1], people):
        return False
    return "signed" in names or ("name" in names and said and not listed and not only_names)


_MOST_NAMES: Final = 2


def _announces(line: str) -> bool:
    """Whether a line is not at its end: "The winner is", "Ship it to:"."""
    text = line.rstrip()
    words = words_of(text)
    return text.endswith(":") or (text[-1].isalpha() and bool(words) and words[-1] in _OPEN)


def _may_be_sender(line: str, people: frozenset[str]) -> bool:
    """Whether a line without a part of the sender's name names him: by a nickname, or if he is not known."""
    words = words_of(line)
    if not words or not fold(words[0]).isascii():
        return True  # a name in another script than the sender's address
    known = 2  # parts of a name: one may be a mailbox or a company
    return is_given_name(words[0]) and (len(words) == 1 or len(people) < known)


def _delimited(shown: Sequence[tuple[int, str]]) -> int:
    """Index of the first line of a part behind "-- ", or behind a ruler that only contact details follow."""
    for index in range(max(1, len(shown) - _MOST_DELIMITED), len(shown) - 1):
        line = shown[index][1]
        if DELIMITER.match(line) or (RULER.match(line) and _is_contact_block([text for _, text in shown[index + 1 :]])):
            return index
    return len(shown)


def _is_contact_block(lines: Sequence[str]) -> bool:
    most_lines, longest = 10, 90
    if len(lines) > most_lines or any(len(line) > longest for line in lines):
        return False
    contact = sum(bool(EMAIL.search(line) or URL.search(line) or NUMBER.search(line)) for line in lines)
    prose = sum(sum(word in STOPWORDS for word in words_of(line)) > 1 for line in lines)
    return contact > 0 and prose == 0
