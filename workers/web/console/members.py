"""Who may sign in for a tenant, who is at the console now and since when; and ending their sessions."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers.web.console.door import Visit

_MOST: Final = 200
_DIGITS: Final = 18  # of the largest id that the database has room for


def show(visit: Visit) -> Response:
    """Show the people with their roles and sessions, the latest first."""
    return visit.show("members.html.j2", rows=visit.called("console_people_of", _MOST), most=_MOST)


def revoke(visit: Visit) -> Response:
    """End a session at once."""
    number = visit.said("session")
    if not number.isascii() or not number.isdecimal() or len(number) > _DIGITS:
        raise HTTPException(404, "There is no such session.")
    [ended] = visit.called("console_revoke_session", int(number))
    if not ended:
        raise HTTPException(404, "There is no such session, or it has ended.")
    return visit.go("/console/people", "revoked", what="ends a session", item=number)
