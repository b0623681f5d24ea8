"""Find a mail's signature: which of its last lines close and sign it.

A logistic regression scores each line of the mail's tail; the signature is the run of lines, up to the last one,
whose scores add up highest. The weights are trained by training/signature.py.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from workers.insight.contact_words import (
    COMPANY_WORDS,
    EMAIL,
    URL,
    closing_rest,
    has_legal_form,
    is_name_like,
    is_street_like,
    is_title_like,
    sender_tokens,
    word_set,
    words_of,
)
from workers.insight.phrases import (
    ANSWERS,
    CONFIDENTIAL,
    DEVICE_PROSE,
    DEVICE_WORDS,
    DEVICES,
    FOOTER_BEGINS,
    FOOTERS,
    INVITATIONS,
    NO_FAREWELLS,
    NOTICE_WORDS,
    load,
)

__all__ = ["find_signature", "footer_start", "is_prose", "line_features"]

_LONGEST_LINE: Final = 400
_TAIL: Final = 18  # lines with text; longer signatures are rare and a longer tail finds prose instead
_PARAGRAPH: Final = 3  # lines of prose in a row that no signature holds
_MOST_DELIMITED: Final = 20
_LAST_LINES: Final = 120
_CAP: Final = 200_000
# Splitting a mail and reading its signature look at the same lines, and so do a sender's next mails.
_REMEMBERED: Final = 4_096

_WEIGHTS: Final[dict[str, float]] = load("signature_weights")["weights"]
_THRESHOLD: Final[float] = load("signature_weights")["threshold"]

_DELIMITER: Final = re.compile(r"\s{0,4}(?:--|—|– ?–|-- ?\*)[ \t]*$")
_RULER: Final = re.compile(r"\s{0,4}[-_=*~]{3,}[ \t]*$")
_PHONE: Final = re.compile(
    r"(?<![\w/.,$€£-])(?:\+|\(?0|\(?\d{3}\)?[ .-])[\d ().\u00a0/-]{5,20}\d\b|\bx-?\d{4,6}\b|☎|📞|📱"
)
_DIGIT: Final = re.compile(r"\d")
_FIGURE_SIGNS: Final = frozenset("$€£=\\")
_STOPWORDS: Final = word_set("stopwords")
_NO_BRACKETS: Final = str.maketrans(dict.fromkeys("[]<>()"))
_NAME_PARTS: Final = re.compile(r"[.'’_-]")
_LIST: Final = re.compile(r"\s*(?:[-*•·Ø+]\s+\S|\d{1,2}[.)]\s|\(?[a-z]\)\s)")


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
    end = footer_start(lines)
    first = max(0, end - _LAST_LINES)
    shown = [(number, lines[number][:_LONGEST_LINE]) for number in range(first, end) if lines[number].strip()]
    # A slogan below the signature is no part of it; without a signature above, it is the writer's text.
    kept = len(shown) - _trailer_length(shown)
    found = _signed(shown[:kept], lines, sender)
    if not found and kept < len(shown):
        found = _signed(shown, lines, sender)
    return tuple(number + skipped for number in found)


def _signed(shown: Sequence[tuple[int, str]], lines: Sequence[str], sender: str | None) -> list[int]:
    """The numbers of the lines that sign, among (number, line) of those with text."""
    cut = _delimited(shown)
    # What "-- " has announced is certain; the closing and the name above it still have to be found.
    found = [number for number, _ in shown[cut:]]
    above = shown[:cut]
    features = line_features(above, lines, sender)
    best, total, start = (_THRESHOLD, 0.0, len(above))
    for index in range(len(above) - 1, len(above) - 1 - len(features), -1):
        total += sum(_WEIGHTS.get(name, 0.0) for name in features[index - len(above)])
        if total > best:
            best, start = total, index
    start = _with_head(above, start)
    while start < len(above) and _is_office(above[start][1]):
        start += 1
    if not found and start < len(above) and not _is_anchored(features[start - len(above) :], above, start):
        start = len(above)
    if start == len(above) and not found and len(above) > 1:
        start -= _is_farewell(above[-1][1]) or _is_initial(features[-1], above)
    return [number for number, _ in above[start:]] + found


def _is_initial(row: tuple[str, ...], above: Sequence[tuple[int, str]]) -> bool:
    """Whether the sender's initials stand alone below what was said; "Hi Ann, / B" is an answer."""
    return {"initials", "blank=10"} <= set(row) and any("prose" in _shape(line) for _, line in above[:-1])


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
    return slogan or _PICTURE.match(text) is not None or text.casefold().startswith(INVITATIONS)


_QUOTE_MARKS: Final = frozenset({('"', '"'), ("“", "”"), ("„", "“"), ("„", "”"), ("«", "»"), ("'", "'"), ("‘", "’")})
_PICTURE: Final = re.compile(
    r"[\[<(](?:cid|image|inline image|img|logo|photo|picture|banner|bild|grafik)\b[^\]>)]{0,120}[\]>)]$", re.IGNORECASE
)


def _with_head(above: Sequence[tuple[int, str]], start: int) -> int:
    """Add the name on top of a block of details and the closing above it, which stand far from the end."""
    if not 0 < start < len(above):
        return start
    if _shape(above[start][1]) & _DETAILS and above[start - 1][0] == above[start][0] - 1 and start > 1:
        head = _shape(above[start - 1][1])
        # Names above a name are a list; a signature's name has a gap or other text above it.
        alone = above[start - 2][0] < above[start - 1][0] - 1 or "name" not in _shape(above[start - 2][1])
        if head & {"name", "signed"} and alone:
            start -= 1
    return start - 1 if start > 0 and closing_rest(above[start - 1][1]) == "" else start


_DETAILS: Final = frozenset({"title", "company", "contact"})


def _is_anchored(rows: Sequence[tuple[str, ...]], above: Sequence[tuple[int, str]], start: int) -> bool:
    """Telephone numbers and addresses alone sign nothing, nor do names that the line above announces."""
    names = {name for row in rows for name in row}
    announced = start > 0 and above[start - 1][1].rstrip().endswith(":")
    # "Our new bank details: / Acme Ltd / IBAN …" names the sender's company and signs nothing.
    sender = "sender_only" if announced else "sender"
    if names & {"closing", "closing_name", sender, "signed"}:
        return True
    listed = start > 0 and above[start][0] == above[start - 1][0] + 1 and is_name_like(above[start - 1][1])
    # Who only answers "Hi Ann, / Approved" signs nothing: a lone word is a name below something that was
    # said.
    most_names = 2
    said = any(len(words_of(line)) > most_names for _, line in above[:start])
    only_names = (len(rows) > most_names and not names & _DETAILS) or all("title" in row for row in rows)
    if "initials" in names and said:
        return True
    return "name" in names and said and not announced and not listed and not only_names


def is_prose(line: str) -> bool:
    """Say whether a line reads like a sentence rather than like a detail of a signature."""
    return "prose" in _shape(line[:_LONGEST_LINE]) if line.strip() else False


def footer_start(lines: Sequence[str]) -> int:
    """Where the lines begin that programs add below a mail: device notes, virus scanners, legal notices.

    Returns:
        A line number; `len(lines)` if there is no such footer. Blank lines above the footer belong to it.
    """
    end = len(lines)
    while end > 0 and not lines[end - 1].strip():
        end -= 1
    last = end
    while end > 0 and (not lines[end - 1].strip() or _DELIMITER.match(lines[end - 1])):
        end -= 1
    while end > max(0, last - _LAST_LINES // 2):
        paragraph = end
        while paragraph > 0 and lines[paragraph - 1].strip() and end - paragraph < _TAIL:
            paragraph -= 1
        kept = end
        while kept > paragraph and _is_footer_line(lines[kept - 1]):
            kept -= 1
        if kept == end:
            kept = _notice_start(lines, paragraph, end)
        if kept == end:
            break
        end = kept
        while end > 0 and (
            not lines[end - 1].strip() or _DELIMITER.match(lines[end - 1]) or _RULER.match(lines[end - 1])
        ):
            end -= 1
        if end > paragraph:
            break
    return end if end < last else len(lines)


def line_features(shown: Sequence[tuple[int, str]], lines: Sequence[str], sender: str | None) -> list[tuple[str, ...]]:
    """Describe the last lines with text by named yes/no features.

    Args:
        shown: (line number, line) of every line with text, ascending.
        lines: All lines of the mail, for the blank ones between.
        sender: As in the From header, or None.

    Returns:
        One tuple of feature names per line of the tail, in order: at most eighteen.
    """
    tail = shown[_tail_start(shown) :]
    people = sender_tokens(sender)
    looks = [_look(line, people) for _, line in tail]
    rows: list[tuple[str, ...]] = []
    for index, (number, line) in enumerate(tail):
        look = looks[index]
        from_end = len(tail) - 1 - index
        row = ["bias", f"from_end={_bucket(from_end, (0, 1, 2, 3, 5, 8, 12))}", *sorted(look)]
        blank_before = number > 0 and not lines[number - 1].strip()
        blank_after = number + 1 < len(lines) and not lines[number + 1].strip()
        row.append(f"blank={blank_before:d}{blank_after and from_end > 0:d}")
        if len(shown) - len(tail) + index == 0:
            row.append("first_line")
            if line.rstrip().endswith((",", ":")):
                row.append("greeting")
        above = looks[index - 1] if index else frozenset[str]()
        below = looks[index + 1] if from_end else frozenset[str]()
        row.extend(f"above:{name}" for name in sorted(above & _NEAR))
        row.extend(f"below:{name}" for name in sorted(below & _NEAR))
        if from_end == 0:
            row.extend(f"last:{name}" for name in sorted(look & _NEAR))
        if "name" in look and not blank_before and {"name"} <= above and "sender" not in look and from_end == 0:
            row.append("name_list")
        if "name" in look and blank_before and from_end == 0:
            row.append("name_alone")
        rows.append(tuple(row))
    return rows


def _tail_start(shown: Sequence[tuple[int, str]]) -> int:
    """Where the tail begins that may hold a signature: none reaches up through a paragraph of prose."""
    prose = 0
    for index in range(len(shown) - 1, max(0, len(shown) - _TAIL) - 1, -1):
        prose = prose + 1 if "prose" in _shape(shown[index][1]) else 0
        if prose == _PARAGRAPH:
            return index
    return max(0, len(shown) - _TAIL)


_NEAR: Final = frozenset(
    [
        "closing",
        "closing_name",
        "name",
        "signed",
        "sender",
        "sender_only",
        "prose",
        "contact",
        "title",
        "company",
        "list",
        "tabular",
    ]
)


def _bucket(value: int, bounds: tuple[int, ...]) -> int:
    return max(bound for bound in bounds if bound <= value)


def _look(line: str, people: frozenset[str]) -> frozenset[str]:
    """What one line looks like to who knows the sender, whatever stands around it."""
    shape = _shape(line)
    if not people:
        return shape
    if line[-1] in _KISS:
        line = _KISSES.sub("", line)
    words = words_of(line)
    parts = words if "".join(words).isalpha() else [part for word in words for part in _NAME_PARTS.split(word) if part]
    # "Steph" for Stephanie counts in a short line; in prose it would make Andrea of every "and".
    brief, shortest = 4, 3
    if len(parts) > brief and people.isdisjoint(parts):
        return shape
    nicknames = [word for word in parts if len(word) >= shortest] if len(parts) <= brief else []
    named = [
        word for word in parts if word in people or (word in nicknames and any(p.startswith(word) for p in people))
    ]
    if named:
        whole = len(named) >= len([word for word in parts if len(word) > 1])
        return shape | ({"sender", "sender_only"} if whole else {"sender"})
    return shape | {"initials"} if _initials(line.strip(), people) else shape


_KISS: Final = frozenset("xX. ")
_KISSES: Final = re.compile(r"[ ,.][xX]{1,3}\.?\s*$")


@lru_cache(maxsize=_REMEMBERED)
def _shape(line: str) -> frozenset[str]:
    """What one line looks like by itself."""
    text = line.strip()
    words = words_of(text)
    return frozenset({*_person_shape(text, words), *_detail_shape(text), *_sentence_shape(text, words), *_layout(line)})


def _person_shape(text: str, words: Sequence[str]) -> Iterator[str]:
    rest = closing_rest(text)
    if rest is not None:
        yield "closing" if not rest else "closing_name" if is_name_like(rest) else "closing_prose"
        if not rest and text.endswith(","):
            yield "closing_comma"
    longest_suffix = 3  # "Jr."
    sentence = text.endswith((".", "!")) and len(words) == 1 and len(text) > longest_suffix
    if rest != "" and is_name_like(text) and not sentence and not set(words) <= ANSWERS:
        yield "name"
        yield f"name_words={min(len(words), 4)}"
    if _is_signed_line(text):
        yield "signed"


def _detail_shape(text: str) -> Iterator[str]:
    if "@" in text and EMAIL.search(text):
        yield from ("email", "contact")
    if ("://" in text or "www." in text.lower()) and URL.search(text):
        yield "url"
    numbered = _DIGIT.search(text) is not None
    if (numbered or not text.isascii()) and _PHONE.search(text):
        yield from ("phone", "contact")
    elif numbered:
        yield "digits"
    if is_street_like(text):
        yield "street"
    short = 60
    if len(text) < short and text[-1] not in ".?!" and is_title_like(text) and not _is_office(text):
        yield "title"
    if len(text) < short and has_legal_form(text):
        yield "company"


def _is_office(text: str) -> bool:
    """Whether a line says who holds an office ("President: Howard Lim"): nobody signs like that."""
    office, colon, holder = text.partition(":")
    return bool(colon and holder.strip()) and is_title_like(office)


def _sentence_shape(text: str, words: Sequence[str]) -> Iterator[str]:
    stop = sum(word in _STOPWORDS for word in words)
    if stop:
        yield f"stopwords={min(stop, 3)}"
    few = 4
    spaceless = 10  # a Chinese or Japanese sentence is one word
    if (len(words) > few and (stop > 1 or text[-1] in ".?!")) or (len(text) > spaceless and text[-1] in "。？！"):
        yield "prose"
    ends = {"?": "asks", "!": "asks", ".": "stops", ":": "announces", "。": "stops", "？": "asks"}
    if text[-1] in ends:
        yield ends[text[-1]]
    if text[0].islower():
        yield "lower"


def _layout(line: str) -> Iterator[str]:
    text = line.strip()
    if any(mark in text for mark in (" | ", " • ", " · ")):
        yield "segments"
    if _LIST.match(line):
        yield "list"
    if "\t" in text or "   " in text:
        yield "tabular"
    if not _FIGURE_SIGNS.isdisjoint(text):
        yield "figures"
    if _RULER.match(line):
        yield "ruler"
    yield f"length={_bucket(len(text), (0, 12, 25, 40, 60, 90))}"


def _is_signed_line(text: str) -> bool:
    """Whether a line gives a name and, after a bar or a comma, what it is the name of."""
    parts = [part for part in _PARTS.split(text, maxsplit=4) if part.strip()]
    return (
        len(parts) > 1
        and is_name_like(parts[0])
        and len(parts[0].split()) > 1
        and any(
            is_title_like(part)
            or has_legal_form(part)
            or COMPANY_WORDS & set(words_of(part))
            or EMAIL.search(part)
            or _PHONE.search(part)
            for part in parts[1:]
        )
    )


_PARTS: Final = re.compile(r" *[|•·] *| [–—/-] |, |\t+| {3,}")


def _initials(text: str, people: frozenset[str]) -> bool:
    letters = re.sub(r"[\W\d_]", "", _KISSES.sub("", text))
    longest = 3
    firsts = {name[0] for name in people}
    return (
        0 < len(letters) <= longest and len(text) <= longest + 3 and all(char.casefold() in firsts for char in letters)
    )


def _delimited(shown: Sequence[tuple[int, str]]) -> int:
    """Index of the first line of a part behind "-- ", or behind a ruler that only contact details follow."""
    for index in range(max(0, len(shown) - _MOST_DELIMITED), len(shown)):
        line = shown[index][1]
        if index == 0:
            continue
        below = [text for _, text in shown[index + 1 :]]
        if _DELIMITER.match(line) and below:
            return index
        if _RULER.match(line) and below and _is_contact_block(below):
            return index
    return len(shown)


def _is_contact_block(lines: Sequence[str]) -> bool:
    most_lines, longest = 10, 90
    if len(lines) > most_lines or any(len(line) > longest for line in lines):
        return False
    contact = sum(bool(EMAIL.search(line) or URL.search(line) or _PHONE.search(line)) for line in lines)
    prose = sum(sum(word in _STOPWORDS for word in words_of(line)) > 1 for line in lines)
    return contact > 0 and prose == 0


@lru_cache(maxsize=_REMEMBERED)
def _is_footer_line(line: str) -> bool:
    text = " ".join(line[:_LONGEST_LINE].translate(_NO_BRACKETS).strip(" \t*_-–—").casefold().split())
    longest = 160
    if not text or len(text) > longest:
        return False
    if any(map(text.__contains__, FOOTERS)) or text.startswith(FOOTER_BEGINS):
        return True
    few = 12
    words = re.findall(r"[\w.'’-]+", text)
    if len(words) > few and "http" not in text:
        return False
    if _names_device(text, words) or _names_list(text, words):
        return True
    brief = 7
    if text.startswith("sent from ") and len(words) <= brief and text[-1] not in ".?!:,":
        return True
    return (words[-2:] == ["from", "mobile"] or words[:2] == ["get", "outlook"]) and len(words) <= few


_WISHES: Final = frozenset(
    ["my", "your", "our", "from", "off", "remove", "unsubscribe", "join", "please", "stop", "any"]
)


def _names_list(text: str, words: Sequence[str]) -> bool:
    """Whether a line only names a mailing list ("Example-users mailing list"); a wish to leave one is text."""
    most_words = 5
    return text.endswith(" mailing list") and len(words) <= most_words and _WISHES.isdisjoint(words)


def _names_device(text: str, words: Sequence[str]) -> bool:
    for phrase in DEVICES:
        at = text.find(phrase)
        if at < 0:
            continue
        # A device is named, or the phrase is one that only programs use: "Sent from my warehouse" is prose.
        if at == 0 and not phrase.startswith(DEVICE_PROSE):
            return True
        if any(word in DEVICE_WORDS or word.rstrip(".").endswith(("phone", "pad")) for word in words):
            return True
    return False


def _notice_start(lines: Sequence[str], paragraph: int, end: int) -> int:
    """Where a legal notice begins that ends a paragraph, its lines long but the last; else `end`."""
    long = 45
    start = end - 1
    while start > paragraph and len(lines[start - 1]) >= long:
        start -= 1
    return start if _is_notice(" ".join(lines[start:end])[:1_500]) else end


@lru_cache(maxsize=256)
def _is_notice(text: str) -> bool:
    least = 60
    folded = text.casefold()
    return (
        len(text) >= least
        and any(map(folded.__contains__, NOTICE_WORDS))
        and any(map(folded.__contains__, CONFIDENTIAL))
    )
