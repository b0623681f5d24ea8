"""Today: what each engine did and does next, and what wants a person."""

from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers import clock
from workers.runtime.occurrences import next_begins
from workers.web.api.users import users
from workers.web.console.door import Visit, address_of

_MOST_ANSWERS: Final = 50


def today(visit: Visit) -> Response:
    """Show per engine what became of the last days, and what waits for somebody, the oldest first."""
    with users.working() as connection:
        next_runs = next_begins(connection, visit.person.tenant, clock.now())
    return visit.show(
        "today.html.j2",
        engines=[row | {"next_run_at": next_runs.get(row["engine"])} for row in visit.called("console_today")],
        waiting=[_with_way(row) for row in visit.called("console_waiting")],
        answers=visit.called("console_answers", _MOST_ANSWERS),
        now=clock.now(),
    )


def settle_answer(visit: Visit) -> Response:
    """Note that an answer was dealt with."""
    try:
        message = UUID(visit.said("message"))
    except ValueError:
        raise HTTPException(404, "There is no such answer.") from None
    person = visit.person
    [found] = visit.called("console_settle_answer", message, person.session, person.who, address_of(visit.request))
    if not found:
        raise HTTPException(404, "There is no such answer.")
    return visit.go("/console/#answers", "settled", what="")  # the function has kept it


def _with_way(row: dict[str, Any]) -> dict[str, Any]:
    """Add where a person goes to do what is wanted."""
    way: str | None
    if row["kind"] == "conflict":
        way = "/console/conflicts"
    elif row["kind"] == "refused":
        way = "/console/words" if row["error"].startswith("nobody has said ") else None
        if way is None and _is_id(row["what"]):
            way = f"/console/find?{urlencode({'q': row['what']})}"
    else:
        way = "/console/actions?" + urlencode({"status": row["kind"], "engine": row["engine"], "template": row["what"]})
    return row | {"way": way}


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
