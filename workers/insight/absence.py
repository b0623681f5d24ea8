"""Absence notes: what tells them from other automatic answers, and the day on which their writer is back."""

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final

from babel import Locale

from workers.insight.message_parts import header
from workers.insight.phrases import load
from workers.insight.wording import Phrases, fold_words

__all__ = ["is_away", "returns_on", "written_on"]

_WORDS: Final = load("machine_mail")
_SUBJECTS: Final = tuple(_WORDS["away_subjects"])
_AWAY: Final = Phrases(_WORDS["away_texts"])
_BACK: Final = Phrases(_WORDS["back"])
_UNTIL: Final = Phrases(_WORDS["until"])
_BEHIND: Final = re.compile("|".join(_WORDS["behind"]))
_TOMORROW: Final = re.compile(r"(?<!\w)(?:" + "|".join(_WORDS["tomorrow"]) + r")(?!\w)")
_REPLY_MARK: Final = re.compile(
    r"(?:(?:" + "|".join(_WORDS["reply_marks"]) + r")\s?(?:\[\d{1,3}\])?\s?[:\uff1a]\s{0,5}){1,9}"
)
_LOCALES: Final = (
    "ca", "cs", "da", "de", "el", "en", "es", "fi", "fr", "hu", "it", "nb", "nl", "pl", "pt", "ro", "ru", "sk", "sv", "tr", "uk",
)  # fmt: skip
_BEGINNING: Final = 1_500
_BEFORE: Final = 45  # characters: a cue belongs to the date that soon follows it
_AFTER: Final = 30
_LONGEST_ABSENCE: Final = timedelta(days=400)
_SOON: Final = timedelta(days=90)
_STALE: Final = timedelta(days=7)
_APPLE_END: Final = re.compile(r"endDate=(\d{4})-(\d\d)-(\d\d)")


def is_away(subject: str, text: str) -> bool:
    """Whether an automatic answer is an absence note, by how its subject begins or what its first lines say."""
    folded = subject.casefold()
    mark = _REPLY_MARK.match(folded)
    if folded[mark.end() if mark else 0 :].strip(" [(*").startswith(_SUBJECTS):
        return True
    return _AWAY.found_in(fold_words(f"{subject} \n {text[:_BEGINNING]}"))


def returns_on(message: Message, text: str, sent_on: date) -> date | None:
    """The day that an absence note names: when its writer is back, or until when he is away.

    Read are dates in figures and words, in the languages of `_LOCALES` and in Japanese, Chinese and Korean, and days
    of the week; of "3/4" the later reading of the next 90 days counts. A date has to stand beside a word like "back"
    or "until", or to end a range; of several the one beside "back" wins, then the latest.

    Args:
        message: The mail, for its subject and Apple's X-Apple-Criteria.
        text: Its text; the first 1,500 characters are read.
        sent_on: When it was written: "on Monday" is the first one after that, a date without year the next one.

    Returns:
        The day, at most 400 days ahead; None if the note names none, or only days that are over.
    """
    apple = _APPLE_END.search(header(message, "X-Apple-Criteria"))
    if apple:
        return _possible(*(int(piece) for piece in apple.groups()), sent_on)
    content = f"{header(message, 'Subject')}\n{text[:_BEGINNING]}".casefold().replace("\u2019", "'")
    back: list[date] = []
    until: list[date] = []
    for start, end, day, ends_range in _dates(content, sent_on):
        before = fold_words(re.split(r"[.!?\n]\s", content[max(0, start - _BEFORE) : start])[-1])
        after = re.split(r"[.!?\n]", content[end : end + _AFTER])[0]
        # Some languages put the verb, or the word for "until", behind the date.
        if _BACK.found_in(before) or _BACK.found_in(fold_words(after)) or _BEHIND.search(after):
            back.append(day)
        elif ends_range or _UNTIL.found_in(before[-20:]):
            until.append(day)
    return max(back or until, default=None)


def _dates(content: str, sent_on: date) -> Iterator[tuple[int, int, date, bool]]:
    """The days that a text in lower case names: from where to where, which, and whether it ends a range."""
    names = _names()
    for match in names["dates"].finditer(content):
        found = match.groupdict()
        month = names["months"].get(found["month"] or found["month_first"] or "", 0)
        number = found["day"] or found["last"] or found["after_month"] or ""
        year = found["year"] or found["year_behind"] or ""
        day = _possible(int(year) if year else 0, month, int(number), sent_on)
        if day:
            yield match.start(), match.end(), day, bool(found["last"]) or _behind_dash(content, match)
    for match in _FIGURES.finditer(content):
        day = _in_figures(match, sent_on)
        if day:
            yield match.start(), match.end(), day, _behind_dash(content, match)
    for match in names["weekdays"].finditer(content):
        ahead = (names["days"][match[0]] - sent_on.weekday() - 1) % 7 + 1
        yield match.start(), match.end(), sent_on + timedelta(days=ahead), False
    for match in _TOMORROW.finditer(content):
        yield match.start(), match.end(), sent_on + timedelta(days=1), False


def _behind_dash(content: str, match: re.Match[str]) -> bool:
    return content[max(0, match.start() - 2) : match.start()].rstrip()[-1:] in ("-", "–", "—")


_FIGURES: Final = re.compile(
    r"(?<![\d.:/-])(?:"
    r"(?P<iso>\d{4})[-/.](?P<iso_month>\d\d?)[-/.](?P<iso_day>\d\d?)"
    r"|(?:(?P<cjk_year>\d{4})\s?[年년]\s?)?(?P<cjk_month>\d\d?)\s?[月월]\s?(?P<cjk_day>\d\d?)\s?[日号號일]"
    r"|(?P<one>\d\d?)(?P<mark>[./-])\s?(?P<two>\d\d?)(?:(?P=mark)\s?(?P<year>\d{4}|\d\d)?)?"
    r")(?![\d:/-]|\.\d)"
)


def _in_figures(match: re.Match[str], sent_on: date) -> date | None:
    if match["iso"]:
        return _possible(int(match["iso"]), int(match["iso_month"]), int(match["iso_day"]), sent_on)
    if match["cjk_month"]:
        return _possible(int(match["cjk_year"] or 0), int(match["cjk_month"]), int(match["cjk_day"]), sent_on)
    if match["mark"] == "-" and not match["year"]:
        return None  # "3-4 days"
    year = int(match["year"] or 0)
    year = year + 2000 if 0 < year < 100 else year
    one, two = int(match["one"]), int(match["two"])
    readings = [_possible(year, two, one, sent_on)]
    if match["mark"] == "/":
        readings.append(_possible(year, one, two, sent_on))
    possible = [day for day in readings if day]
    soon = [day for day in possible if day <= sent_on + _SOON]
    return max(soon) if soon else min(possible, default=None)


def _possible(year: int, month: int, day: int, sent_on: date) -> date | None:
    """That day, in the next year that has it if none is given; None if there is none, or it lies too far off."""
    for candidate in (year,) if year else (sent_on.year, sent_on.year + 1):
        try:
            found = date(candidate, month, day)
        except ValueError:
            continue
        if sent_on - _STALE <= found <= sent_on + _LONGEST_ABSENCE:
            return found
    return None


@cache
def _names() -> dict[str, Any]:
    """The names of months and days in every language that is read, and patterns that find them (CLDR, by Babel)."""
    months: dict[str, int] = {}
    days: dict[str, int] = {}
    for locale in map(Locale.parse, _LOCALES):
        for context in ("format", "stand-alone"):
            for width in ("wide", "abbreviated"):
                for number, name in locale.months[context][width].items():
                    months.setdefault(name.casefold().rstrip("."), number)
            for number, name in locale.days[context]["wide"].items():
                days.setdefault(name.casefold(), number)
    month = "|".join(sorted(map(re.escape, months), key=len, reverse=True))
    day = "|".join(sorted(map(re.escape, days), key=len, reverse=True))
    number = r"\d\d?(?:st|nd|rd|th|er|º|ª|\.)?"
    return {
        "months": months,
        "days": days,
        "weekdays": re.compile(rf"(?<!\w)(?:{day})(?!\w)"),
        "dates": re.compile(
            rf"(?<![\w.])(?P<day>\d\d?)(?:st|nd|rd|th|er|º|ª|\.)?\s?(?:of |de |d'|d’)?(?P<month>{month})\.?(?!\w)"
            rf"(?:,?\s(?:de |del )?(?P<year>\d{{4}}))?"
            rf"|(?<!\w)(?P<month_first>{month})\.?\s(?:{number}\s?(?:-|–|—|to|through|until)\s?(?P<last>\d\d?)"
            rf"|(?P<after_month>\d\d?))(?:st|nd|rd|th)?(?![\w:])(?:,?\s(?P<year_behind>\d{{4}}))?"
        ),
    }


def written_on(message: Message) -> date | None:
    """The day of a mail's Date header, in its own zone."""
    try:
        found: datetime = parsedate_to_datetime(header(message, "Date"))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return found.date()
