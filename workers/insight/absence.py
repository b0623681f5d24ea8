"""Absence notes: what tells them from other automatic answers, and the day on which their writer is back."""

import calendar
import re
from collections.abc import Iterator
from datetime import date, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Final, NamedTuple

from workers.insight.message_parts import header
from workers.insight.phrases import load
from workers.insight.subjects import unmarked
from workers.insight.wording import Phrases, fold_words
from workers.month_names import day_names, month_names

__all__ = ["is_away", "returns_on", "written_on"]

_WORDS: Final = load("machine_mail")
_SUBJECTS: Final = tuple(_WORDS["away_subjects"])
_AWAY: Final = Phrases(_WORDS["away_texts"])
_BACK: Final = Phrases(_WORDS["back"])
_UNTIL: Final = Phrases(_WORDS["until"])
_BEHIND: Final = re.compile("|".join(_WORDS["behind"]))
_TOMORROW: Final = re.compile(r"(?<!\w)(?:" + "|".join(_WORDS["tomorrow"]) + r")(?!\w)")
_BEGINNING: Final = 1_500
_BEFORE: Final = 45  # characters: a cue belongs to the date that soon follows it
_JUST_BEFORE: Final = 20
_AFTER: Final = 30
_CENTURY: Final = 2000
_LONGEST_ABSENCE: Final = timedelta(days=400)
_SOON: Final = timedelta(days=90)
_STALE: Final = timedelta(days=7)
_APPLE_END: Final = re.compile(r"endDate=(\d{4})-(\d\d)-(\d\d)")
# Behind "until": the end of March, Ende März, fin mars, finales de marzo, fine marzo, eind maart.
_MONTHS_END: Final = r"end of|ende|fin de|fin|finales de|final de|fine di|fine|eind|einde|fim de"
_SENTENCE_END: Final = re.compile(r"(?<!\b\w)[.!?]\s|\n")  # "tilbage d. 7. december" goes on
_FIGURES: Final = re.compile(
    r"(?<![\d.:/-])(?:"
    r"(?P<iso>\d{4})[-/.](?P<iso_month>\d\d?)[-/.](?P<iso_day>\d\d?)"
    r"|(?:(?P<cjk_year>\d{4})\s?[年년]\s?)?(?P<cjk_month>\d\d?)\s?[月월]\s?(?P<cjk_day>\d\d?)\s?[日号號일]"
    r"|(?P<one>\d\d?)(?P<mark>[./-])\s?(?P<two>\d\d?)(?:(?P=mark)\s?(?P<year>\d{4}|\d\d)?)?"
    r")(?![\d:/-]|\.\d)"
)


class _Names(NamedTuple):
    """The names of months and days in every language that is read, and patterns that find them."""

    months: dict[str, int]
    days: dict[str, int]
    dates: re.Pattern[str]
    whole_months: re.Pattern[str]
    weekdays: re.Pattern[str]


class _Day(NamedTuple):
    """A day that a text names: where it does, which, and whether it ends a range ("10-31 July")."""

    start: int
    end: int
    day: date
    ends_range: bool


def is_away(subject: str, text: str) -> bool:
    """Whether an automatic answer is an absence note, by how its subject begins or what its first lines say."""
    if unmarked(subject)[1].casefold().strip(" [(*").startswith(_SUBJECTS):
        return True
    return _AWAY.found_in(fold_words(f"{subject} \n {text[:_BEGINNING]}"))


def written_on(message: Message) -> date | None:
    """The day of a mail's Date header, in its own zone; None if it has none, or one beyond all calendars."""
    try:
        day = parsedate_to_datetime(header(message, "Date")).date()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return day if date.min + _LONGEST_ABSENCE < day < date.max - _LONGEST_ABSENCE else None


def returns_on(message: Message, text: str, sent_on: date) -> date | None:
    """The day that an absence note names: when its writer is back, or until when he is away.

    Read are dates in figures and words, in the languages of `data/machine_mail.json` and in Japanese, Chinese and
    Korean, months ("the end of March", "September 2026": their last days), and days of the week; of "3/4" the later
    reading of the next 90 days counts. A date has to stand beside a word like "back" or "until", or to end a range; of
    several the one beside "back" wins, then the latest.

    Args:
        message: The mail, for its subject and Apple's X-Apple-Criteria.
        text: Its text; the first 1,500 characters are read.
        sent_on: When it was written: "on Monday" is the first one after that, a date without year the next one.

    Returns:
        The day, at most 400 days ahead; None if the note names none, or only days that are over.
    """
    apple = _APPLE_END.search(header(message, "X-Apple-Criteria"))
    if apple:
        return _possible(int(apple[1]), int(apple[2]), int(apple[3]), sent_on)
    content = f"{header(message, 'Subject')}\n{text[:_BEGINNING]}".casefold().replace("\u2019", "'")
    back: list[date] = []
    until: list[date] = []
    for named in _days_in(content, sent_on):
        before = fold_words(_SENTENCE_END.split(content[max(0, named.start - _BEFORE) : named.start])[-1])
        after = re.split(r"[.!?\n]", content[named.end : named.end + _AFTER])[0]
        # Some languages put the verb, or the word for "until", behind the date.
        if _BACK.found_in(before) or _BACK.found_in(fold_words(after)) or _BEHIND.search(after):
            back.append(named.day)
        elif named.ends_range or _UNTIL.found_in(before[-_JUST_BEFORE:]):
            until.append(named.day)
    return max(back or until, default=None)


def _days_in(content: str, sent_on: date) -> Iterator[_Day]:
    """The days that a text in lower case names, in no certain order."""
    names = _names()
    dates = list(names.dates.finditer(content))
    for match in dates:
        month = names.months[match["month"] or match["month_first"]]
        number = match["day"] or match["last"] or match["after_month"]
        year = match["year"] or match["year_behind"] or 0
        day = _possible(int(year), month, int(number), sent_on)
        if day:
            yield _Day(match.start(), match.end(), day, bool(match["last"]) or _behind_dash(content, match))
    for match in names.whole_months.finditer(content):
        day = _last_day(names.months[match["ending"] or match["whole"]], int(match["year"] or 0), sent_on)
        if day and not any(known.start() < match.end() <= known.end() for known in dates):
            yield _Day(match.start(), match.end(), day, ends_range=False)
    for match in _FIGURES.finditer(content):
        day = _in_figures(match, sent_on)
        if day:
            yield _Day(match.start(), match.end(), day, _behind_dash(content, match))
    for match in names.weekdays.finditer(content):
        ahead = (names.days[match[0]] - sent_on.weekday() - 1) % 7 + 1
        yield _Day(match.start(), match.end(), sent_on + timedelta(days=ahead), ends_range=False)
    for match in _TOMORROW.finditer(content):
        yield _Day(match.start(), match.end(), sent_on + timedelta(days=1), ends_range=False)


def _behind_dash(content: str, match: re.Match[str]) -> bool:
    return content[max(0, match.start() - 2) : match.start()].rstrip()[-1:] in ("-", "–", "—")


def _in_figures(match: re.Match[str], sent_on: date) -> date | None:
    if match["iso"]:
        return _possible(int(match["iso"]), int(match["iso_month"]), int(match["iso_day"]), sent_on)
    if match["cjk_month"]:
        return _possible(int(match["cjk_year"] or 0), int(match["cjk_month"]), int(match["cjk_day"]), sent_on)
    if match["mark"] == "-" and not match["year"]:
        return None  # "3-4 days"
    year = int(match["year"] or 0)
    if len(match["year"] or "") == len("26"):
        year += _CENTURY
    one, two = int(match["one"]), int(match["two"])
    readings = [_possible(year, two, one, sent_on)]
    most_months = 12
    if match["mark"] == "/" or (match["mark"] == "-" and two > most_months):  # 03-13-2026
        readings.append(_possible(year, one, two, sent_on))
    possible = [day for day in readings if day]
    soon = [day for day in possible if day <= sent_on + _SOON]
    return max(soon) if soon else min(possible, default=None)


def _last_day(month: int, year: int, sent_on: date) -> date | None:
    ahead = year or sent_on.year + (month < sent_on.month)
    return _possible(ahead, month, calendar.monthrange(ahead, month)[1], sent_on)


def _possible(year: int, month: int, day: int, sent_on: date) -> date | None:
    """That day, in the next year that has it if `year` is 0; None if there is none, or it lies too far off."""
    for candidate in (year,) if year else (sent_on.year, sent_on.year + 1):
        try:
            found = date(candidate, month, day)
        except ValueError:
            continue
        if sent_on - _STALE <= found <= sent_on + _LONGEST_ABSENCE:
            return found
    return None


@cache
def _names() -> _Names:
    """Read the names once, when the first note comes."""
    months = month_names(_WORDS["locales"])
    days = day_names(_WORDS["locales"], ["wide"])
    month = "|".join(sorted(map(re.escape, months), key=len, reverse=True))
    weekday = "|".join(sorted(map(re.escape, days), key=len, reverse=True))
    ordinal = r"(?:st|nd|rd|th|er|º|ª|\.)?"
    return _Names(
        months,
        days,
        re.compile(
            # 14 March 2026, 14. März, 1er mars, 14 de marzo de 2026, 14 במרץ
            rf"(?<![\w.])(?P<day>\d\d?){ordinal}\s?(?:of |de |d'|ב)?(?P<month>{month})\.?(?!\w)"
            rf"(?:,?\s(?:de |del )?(?P<year>\d{{4}}))?"
            # March 14th, 2026; March 10-14
            rf"|(?<!\w)(?P<month_first>{month})\.?\s"
            rf"(?:\d\d?{ordinal}\s?(?:-|–|—|to|through|until)\s?(?P<last>\d\d?)|(?P<after_month>\d\d?))"
            rf"(?:st|nd|rd|th)?(?![\w:])(?:,?\s(?P<year_behind>\d{{4}}))?"
        ),
        re.compile(
            rf"(?<!\w)(?:(?:{_MONTHS_END})\s(?P<ending>{month})\.?(?!\w)|(?P<whole>{month})\.?(?=\s\d{{4}}\b))"
            rf"(?:\s(?P<year>\d{{4}})\b)?"
        ),
        re.compile(rf"(?<!\w)(?:{weekday})(?!\w)"),
    )
