"""Compliance: which duty each entity has met, one check with its evidence, and what a person decides about it."""

from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

import psycopg
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers.web.console.actions import listed
from workers.web.console.door import Visit, address_of
from workers.web.console.spreadsheet import csv_file

STATUSES: Final = ("escalated", "overdue", "awaiting_response", "in_progress", "pending", "completed", "waived")
MOST_COUNTED: Final = 10_000
_PAGE: Final = 50
_MOST_EXPORTED: Final = 50_000
_MOST_MESSAGES: Final = 20
_DECISIONS: Final = ("waive", "complete", "answer")
_NO_CHECK: Final = "There is no such check."


def show(visit: Visit) -> Response:
    """Show a page of entities, by name, with the status of each of their duties."""
    status, name = visit.asked("status"), visit.asked("name")
    if status and status not in STATUSES:
        raise HTTPException(404, f"There is no status {status}.")
    if visit.person.tenant is None:
        return visit.show("compliance.html.j2", overview=None)
    [overview] = visit.called("console_compliance_overview", MOST_COUNTED + 1)
    after = _id(visit.asked("after"), "There is no such place in the list.") if visit.asked("after") else None
    rows = visit.called("console_compliance", status or None, name, after, _PAGE + 1)
    shown = rows[:_PAGE]
    later = None
    if len(rows) > _PAGE:
        last = shown[-1]
        later = urlencode({"status": status, "name": last["sorted_by"], "after": last["entity_id"]})
    types = sorted(set(overview["types"]) | {check["type"] or "" for row in shown for check in row["checks"]})
    return visit.show(
        "compliance.html.j2", overview=overview, most=MOST_COUNTED, types=types, status=status, statuses=STATUSES,
        name="" if after else name, rows=[row | {"cells": _cells(row["checks"])} for row in shown], later=later,
        is_later=bool(after),
    )  # fmt: skip


def check(visit: Visit) -> Response:
    """Show one check with its evidence."""
    row = _check(visit)
    about = {"subject": row["id"], "tenant": row["tenant_id"]}
    return visit.show("check.html.j2", row=row, messages=listed(visit, about, _MOST_MESSAGES))


def decide(visit: Visit) -> Response:
    """Waive a check, note that it is fulfilled, or that somebody works on what came back."""
    row, decision, said = _check(visit), visit.said("decision"), visit.said("said")
    if decision not in _DECISIONS:
        raise HTTPException(400, "There is no such decision.")
    person = visit.person
    try:
        with visit.connection.transaction():
            visit.called(
                "console_decide_check", row["id"], decision, said or None, person.session, person.who,
                address_of(visit.request),
            )  # fmt: skip
    except psycopg.errors.InvalidParameterValue as error:
        raise HTTPException(400, f"This is not possible: {error.diag.message_primary}.") from None
    except psycopg.errors.ObjectNotInPrerequisiteState:
        raise HTTPException(409, "It was decided meanwhile.") from None
    return visit.go(f"/console/compliance/{row['id']}", decision, what="")  # the function has kept it


def export(visit: Visit) -> Response:
    """Return the checks as a file for a spreadsheet."""
    rows = [] if visit.person.tenant is None else visit.called("console_compliance_list", _MOST_EXPORTED)
    return csv_file("compliance", rows)


def _check(visit: Visit) -> dict[str, Any]:
    """Return the check that the address names.

    Raises:
        HTTPException: 404, the person's tenant has none of that id.
    """
    rows = visit.called("console_check", _id(visit.request.path_params["check"], _NO_CHECK))
    if not rows:
        raise HTTPException(404, _NO_CHECK)
    row: dict[str, Any] = rows[0]
    return row


def _cells(checks: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    cells: dict[str, list[dict[str, Any]]] = {}
    for one in checks:
        cells.setdefault(one["type"] or "", []).append(one)
    return cells


def _id(text: str, otherwise: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise HTTPException(404, otherwise) from None
