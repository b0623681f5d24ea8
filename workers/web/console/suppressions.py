"""Whom nobody writes to: who said so and why."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers.web.console.door import Visit

_MOST: Final = 200
_LONGEST_ADDRESS: Final = 320


def show(visit: Visit) -> Response:
    """Show the newest suppressions, or those of one mailbox."""
    address = visit.asked("address")
    rows = visit.called("console_suppressions", address or None, _MOST)
    return visit.show("suppressions.html.j2", rows=rows, address=address, total=rows[0]["total"] if rows else 0)


def add(visit: Visit) -> Response:
    """Let nobody write to a mailbox any more."""
    address, why = _said(visit)
    visit.called("console_suppress", address, visit.person.who, why)
    return visit.go("/console/suppressions", "suppressed", what="suppresses", item=address)


def remove(visit: Visit) -> Response:
    """Let a mailbox be written to again."""
    address, why = _said(visit)
    if not visit.called("console_unsuppress", address, visit.person.who, why):
        raise HTTPException(404, f"{address} is not suppressed.")
    return visit.go("/console/suppressions", "removed", what="lifts a suppression", item=address)


def _said(visit: Visit) -> tuple[str, str]:
    address, why = visit.said("address"), visit.said("why")
    if visit.person.tenant is None:
        raise HTTPException(400, "Please choose a tenant first: whose suppression is it?")
    if "@" not in address or len(address) > _LONGEST_ADDRESS or not why:
        raise HTTPException(400, "This needs an e-mail address, and a reason.")
    return address, why
