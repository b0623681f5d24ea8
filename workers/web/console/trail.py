"""The trail: who did what at the console and over the API, when, to what and from where."""

from typing import Any, Final
from urllib.parse import urlencode

from psycopg.types.json import Jsonb
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers.web.console.door import Visit
from workers.web.console.spans import begin_of
from workers.web.console.spreadsheet import csv_file

_PAGE: Final = 50
_MOST_EXPORTED: Final = 50_000
_FIELDS: Final = ("who", "what", "item", "since", "until")


def show(visit: Visit) -> Response:
    """Show the newest of the trail, page by page."""
    asked, place = _asked(visit), visit.asked("before")
    rows: list[dict[str, Any]] = []
    wrong = ""
    try:
        rows = _rows(visit, _PAGE + 1, place)
    except ValueError as error:
        wrong = f"{error}."
    shown = rows[:_PAGE]
    older = None
    if len(rows) > _PAGE:
        older = urlencode(asked | {"before": f"{shown[-1]['at'].isoformat()} {shown[-1]['id']}"})
    return visit.show(
        "trail.html.j2", rows=shown, older=older, asked={name: visit.asked(name) for name in _FIELDS}, wrong=wrong,
        filter=urlencode(asked), is_later=bool(place), kinds=visit.called("console_trail_kinds"),
    )  # fmt: skip


def export(visit: Visit) -> Response:
    """Return the trail as a file for a spreadsheet, the newest first."""
    try:
        rows = _rows(visit, _MOST_EXPORTED, "")
    except ValueError as error:
        raise HTTPException(404, f"{error}.") from None
    hidden = {"id"} | ({"tenant_name"} if visit.person.tenant else set())
    return csv_file("trail", ({name: value for name, value in row.items() if name not in hidden} for row in rows))


def _rows(visit: Visit, most: int, place: str) -> list[dict[str, Any]]:
    """Return the newest rows of what the address asks for, after a place of the list where there is one.

    Raises:
        ValueError: a day is none, which the message says.
        psycopg.DataError: it is no place of the list.
    """
    chosen, zone = _asked(visit), visit.person.time_zone
    for name, later in (("since", 0), ("until", 1)):
        if name in chosen:
            chosen[name] = begin_of(chosen[name], zone, later).isoformat()
    if place:
        at, _, number = place.partition(" ")
        chosen |= {"at": at, "id": number}
    return visit.called("console_trail", Jsonb(chosen), most)


def _asked(visit: Visit) -> dict[str, str]:
    return {name: visit.asked(name) for name in _FIELDS if visit.asked(name)}
