"""Actions: the list with its filter, and one of them as its reader sees it."""

from typing import Any, Final
from urllib.parse import parse_qs, urlencode
from uuid import UUID

from psycopg.types.json import Jsonb
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from workers.delivery.facts import facts_of
from workers.delivery.shown import STATUSES, sent_text_of
from workers.engines.registry import all_engines
from workers.web.console.door import Visit, Words
from workers.web.console.letters import UnwritableError, html_of
from workers.web.console.spans import begin_of

_PAGE: Final = 50
_OTHERS: Final = 10
MOST_COUNTED: Final = 10_000
_NO_ACTION: Final = "There is no such action."
# A letter is shown in a frame of its own that can load nothing, run nothing and lead nowhere.
_LETTER_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox",
}
_FIELDS: Final = ("engine", "template", "contact", "subject", "error", "since", "until")


def actions(visit: Visit) -> Response:
    """Show the newest actions of a filter, page by page."""
    chosen, wrong = filter_of(visit.query, visit.person.time_zone)
    before = visit.asked("before")
    rows: list[dict[str, Any]] = []
    total = 0
    if not wrong:
        paged = chosen | ({"before": before} if before.isdecimal() else {})
        rows = listed(visit, paged, _PAGE + 1)
        [total] = visit.called("console_action_count", Jsonb(chosen), MOST_COUNTED + 1)
    shown = rows[:_PAGE]
    return visit.show(
        "actions.html.j2",
        rows=shown,
        total=total,
        most=MOST_COUNTED,
        wrong=wrong,
        chosen={name: visit.asked(name) for name in _FIELDS} | {"status": visit.query.get("status", [])},
        filter=query_of(visit.query),
        older=_with(visit.query, before=shown[-1]["action_id"]) if len(rows) > _PAGE else None,
        is_later=bool(before),
        statuses=STATUSES,
        engines=list(all_engines()),
    )


def action(visit: Visit) -> Response:
    """Show one action: its text, the answers, what speaks against it now, its history, and what else goes there."""
    row = one(visit, visit.request.path_params["action"])
    others = []
    if row["address"]:
        others = listed(visit, {"contact": row["address"], "tenant": row["tenant_id"]}, _OTHERS + 1)
    return visit.show(
        "action.html.j2",
        row=row,
        neighbours=_neighbours(visit, row["action_id"]),
        replies=visit.called("console_replies", row["action_id"]),
        history=visit.called("console_action_history", row["action_id"]),
        others=[other for other in others if other["action_id"] != row["action_id"]][:_OTHERS],
    )


def _neighbours(visit: Visit, number: int) -> dict[str, str]:
    """Return the ways to the newer and the older action of the list that the person came from, and to that list."""
    ways = dict.fromkeys(("newer", "older", "list"), "")
    if "in" not in visit.query:
        return ways
    within = visit.asked("in")
    chosen, wrong = filter_of(parse_qs(within), visit.person.time_zone)
    [found] = visit.called("console_neighbours", Jsonb({} if wrong else chosen), number)
    ways |= {name: f"/console/actions/{other}?{urlencode({'in': within})}" for name, other in found.items() if other}
    return ways | {"list": f"/console/actions?{within}"}


def letter(visit: Visit) -> Response:
    """Show the HTML page of a letter; its link by which its reader gets no more of them is not given away."""
    row = one(visit, visit.request.path_params["action"])
    try:
        html = html_of(
            row["text"], row["facts"], action=row["action_id"], tenant=UUID(row["tenant_id"]),
            tenant_name=row["tenant_name"], address=row["address"],
        )  # fmt: skip
    except UnwritableError as error:
        raise HTTPException(404, str(error)) from None
    return HTMLResponse(html, headers=_LETTER_HEADERS)


def listed(visit: Visit, chosen: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    """Return the newest actions of a filter, each with its "facts" and its "text"."""
    rows = visit.called("console_actions", Jsonb(chosen), limit)
    known = [row | {"facts": facts_of(row["letter"], row["variables"])} for row in rows]
    return [row | {"text": sent_text_of(row)} for row in known]


def one(visit: Visit, number: int) -> dict[str, Any]:
    """Return an action.

    Raises:
        HTTPException: 404, the person's tenant has none of that number.
    """
    rows = listed(visit, {"ids": [number]}, 1)
    if not rows:
        raise HTTPException(404, _NO_ACTION)
    return rows[0]


def filter_of(query: Words, zone: str) -> tuple[dict[str, Any], str]:
    """Return what a query asks for as find_actions takes it, and what is wrong with it in one sentence, if anything.

    Days are those of the zone; the last one counts.
    """
    said = {name: query.get(name, [""])[-1].strip() for name in _FIELDS}
    chosen: dict[str, Any] = {name: value for name, value in said.items() if value}
    if statuses := [status for status in query.get("status", []) if status]:
        chosen["status"] = statuses
    if unknown := set(statuses) - set(STATUSES):
        return {}, f"There is no status {unknown.pop()}."
    if "engine" in chosen and chosen["engine"] not in all_engines():
        return {}, f"There is no engine {chosen['engine']}."
    if "contact" in chosen and "@" not in chosen["contact"] and not _is_uuid(chosen["contact"]):
        return {}, "A person is chosen by an e-mail address or by the id of a contact."
    if "subject" in chosen and not _is_uuid(chosen["subject"]):
        return {}, "What an action is about is chosen by the id of a deal, quote, order or check."
    for name, later in (("since", 0), ("until", 1)):
        if name in chosen:
            try:
                chosen[name] = begin_of(chosen[name], zone, later).isoformat()
            except ValueError as error:
                return {}, f"{error}."
    return chosen, ""


def query_of(query: Words) -> str:
    """Return the part of a query that is the filter, as it stands behind a question mark."""
    kept = [(name, value) for name in (*_FIELDS, "status") for value in query.get(name, []) if value]
    return urlencode(kept)


def _with(query: Words, **more: object) -> str:
    filtered = query_of(query)
    return f"/console/actions?{filtered}{'&' if filtered else ''}{urlencode(more)}"


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
