"""Deciding about actions, one or many: what it would mean first, then the decision, or another time."""

from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from psycopg.types.json import Jsonb
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers import clock
from workers.delivery.shown import edited_text
from workers.web.console.actions import filter_of, one
from workers.web.console.door import Visit
from workers.web.console.signin import safe_path

# As many ids as fit into a form that may be sent.
_MOST: Final = 5_000
_MORNING: Final = 9  # o'clock, at which a day begins that something is put off to
_DIGITS: Final = 18  # of the largest id that the database has room for
DECISIONS: Final = ("approve", "cancel", "retry")
_SNOOZE: Final = "snooze"


def preview(visit: Visit) -> Response:
    """Show what a decision about the chosen actions, or all of a filter, would mean."""
    decision = _decision(visit, *DECISIONS, _SNOOZE)
    if visit.said("all"):
        chosen, wrong = filter_of(parse_qs(visit.said("filter")), visit.person.time_zone)
        if wrong:
            raise HTTPException(400, wrong)
        [ids] = visit.called("console_chosen", Jsonb(chosen), decision, _MOST)
    else:
        ids = _ids(visit)
    meaning: dict[str, Any] = {"decidable": []}
    if ids:
        [meaning] = visit.called("console_preview", ids, decision)
    days = {date.fromisoformat(day): n for day, n in sorted(meaning.get("moved", {}).items())}
    return visit.show(
        "preview.html.j2", decision=decision, asked=len(ids), most=_MOST, back=safe_path(visit.said("back")), days=days,
        meaning=meaning, refused=sorted(meaning.get("refused", {}).items(), key=lambda it: (-it[1], it[0])),
        mornings=mornings(visit.person.time_zone),
    )  # fmt: skip


def decide(visit: Visit) -> Response:
    """Decide about actions, those of them for which it is still possible."""
    decision, ids, person = _decision(visit, *DECISIONS), _ids(visit), visit.person
    done = visit.called("console_decide", ids, decision, person.who, visit.said("why") or None)
    if not done:
        raise HTTPException(409, f"None of these can be decided so any more ({decision}), or there is none of them.")
    return visit.go(
        safe_path(visit.said("back")),
        decision,
        len(done),
        what=decision,
        item=", ".join(str(number) for number in done),
    )


def snooze(visit: Visit) -> Response:
    """Put actions off until a time of the person's zone."""
    ids = _ids(visit)
    until = later_instant(visit)
    moved = visit.called("console_snooze", ids, until, visit.person.who, visit.said("why") or None)
    if not moved:
        raise HTTPException(409, "None of these waits any more, or there is none of them.")
    item = ", ".join(str(number) for number in moved)
    return visit.go(safe_path(visit.said("back")), _SNOOZE, len(moved), what=_SNOOZE, item=item)


def later_instant(visit: Visit) -> datetime:
    """Return the time that a form puts something off to: the one of a button, else the one that was written.

    Raises:
        HTTPException: 400, it is none, or is past.
    """
    try:
        until = _instant(visit.said("morning") or visit.said("until"), visit.person.time_zone)
    except ValueError as error:
        raise HTTPException(400, f"{error}.") from None
    if until is None or until <= clock.now():
        raise HTTPException(400, "This needs a time that is yet to come.")
    return until


def mornings(zone: str) -> dict[str, datetime]:
    """Return the mornings that things are usually put off to, by what people call them."""
    today = clock.now().astimezone(ZoneInfo(zone)).replace(hour=_MORNING, minute=0, second=0, microsecond=0)
    return {
        "Tomorrow": today + timedelta(days=1),
        "Next Monday": today + timedelta(days=7 - today.weekday()),
        "In four weeks": today + timedelta(days=28),
    }


def edit(visit: Visit) -> Response:
    """Show the form for another text or another time."""
    row = one(visit, visit.request.path_params["action"])
    text = row["text"]
    return _form(visit, row, subject=text.subject, body=text.body, run_at="")


def save(visit: Visit) -> Response:
    """Give an action the text and the time that were written."""
    row = one(visit, visit.request.path_params["action"])
    subject, body, at = visit.said("subject"), visit.written("body"), visit.said("run_at")
    try:
        text = edited_text(row["text"], subject, body)
        run_at = _instant(at, visit.person.time_zone)
    except ValueError as error:
        return _form(visit, row, subject=subject, body=body, run_at=at, wrong=str(error))
    path = f"/console/actions/{row['action_id']}"
    changes = Jsonb({"subject": text.subject, "body": text.body}) if text else None
    done = []
    if changes or run_at:
        done = visit.called(
            "console_edit", [row["action_id"]], changes, run_at, visit.person.who, visit.said("why") or None
        )
        if not done:
            raise HTTPException(409, "It has left, or was decided meanwhile: it cannot be edited any more.")
    return visit.go(path, "edit" if done else "nothing", what="edit" if done else "", item=str(row["action_id"]))


def _form(visit: Visit, row: dict[str, Any], *, subject: str, body: str, run_at: str, wrong: str = "") -> Response:
    return visit.show(
        "edit.html.j2", 400 if wrong else 200, row=row, subject=subject, body=body, run_at=run_at, wrong=wrong
    )


def _decision(visit: Visit, *possible: str) -> str:
    decision = visit.said("decision")
    if decision not in possible:
        raise HTTPException(400, "There is no such decision.")
    return decision


def _ids(visit: Visit) -> list[int]:
    words = " ".join(visit.form.get("ids", [])).replace(",", " ").split()
    if len(words) > _MOST or not all(word.isdecimal() and len(word) <= _DIGITS for word in words):
        raise HTTPException(400, f"These are no numbers of actions, or more than {_MOST:,}.")
    return sorted({int(word) for word in words})


def _instant(text: str, zone: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    except ValueError:
        raise ValueError(f"{text} is no time such as 2026-03-02T09:00") from None
