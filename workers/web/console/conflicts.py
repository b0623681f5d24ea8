"""Where found contact data contradicts the CRM: a person decides which holds."""

from typing import Final
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers.web.console.door import Visit

_MOST: Final = 200
_DECISIONS: Final = ("accepted", "rejected")


def conflicts(visit: Visit) -> Response:
    """Show the contradictions that nobody has decided yet, the oldest first."""
    return visit.show("conflicts.html.j2", rows=visit.called("console_conflicts", _MOST), most=_MOST)


def decide(visit: Visit) -> Response:
    """Take the found value over, or keep the CRM's; the same proposal is not asked again."""
    decision, field = visit.said("decision"), visit.said("field")
    try:
        queue = UUID(visit.said("queue"))
    except ValueError:
        raise HTTPException(404, "There is no such contradiction.") from None
    if decision not in _DECISIONS:
        raise HTTPException(400, "There is no such decision.")
    [problem] = visit.called("console_decide_conflict", queue, field, decision, visit.person.who)
    if problem:
        raise HTTPException(409, f"This cannot be decided: {problem}.")
    return visit.go("/console/conflicts", decision, what=f"conflict {decision}", item=f"{queue}:{field}")
