"""The tokens that programs show to the API: which there are, making one, whose secret is shown once, revoking one."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import psycopg
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers import clock
from workers.runtime.roles import RANKS, Role
from workers.runtime.tokens import api_token_of, new_token, token_hash
from workers.web.console.door import Visit, address_of, session_of

_DAYS: Final = ("30", "90", "365", "")  # for which a token may be good; empty: until it is revoked
_USUAL_PER_MINUTE: Final = "600"
_MOST_DIGITS: Final = 6


def show(visit: Visit) -> Response:
    """Show the tokens, the newest first, and the form that makes one."""
    return _page(visit)


def make(visit: Visit) -> Response:
    """Make a token; the page that answers shows its secret, once.

    The secret comes of the session and of the key that each form has: a form that is sent twice, as by a double press,
    makes one token, and the second answer shows the same.
    """
    person, days, per_minute = visit.person, visit.said("days"), visit.said("per_minute")
    if days not in _DAYS or not (per_minute.isascii() and per_minute.isdecimal() and len(per_minute) <= _MOST_DIGITS):
        return _page(visit, 400, wrong="It needs one of the times that there are, and a number of calls in a minute.")
    secret = api_token_of(session_of(visit.request) or "", visit.said("key"))
    ends_at = clock.now() + timedelta(days=int(days)) if days else None
    try:
        with visit.connection.transaction():
            [made] = visit.called(
                "console_make_token", token_hash(secret), visit.said("name"), visit.said("role"), int(per_minute),
                ends_at, person.session, person.who, address_of(visit.request),
            )  # fmt: skip
    except psycopg.errors.InvalidParameterValue as error:
        return _page(visit, 400, wrong=f"This is not possible: {error.diag.message_primary}.")
    if made is None:
        wrong = "This form has made its token before, and its secret was shown then. The form below makes another one."
        return _page(visit, 409, wrong=wrong)
    return _page(visit, made=visit.said("name"), secret=secret)  # the function has kept it


def revoke(visit: Visit) -> Response:
    """Let a token be good for nothing from now on."""
    person = visit.person
    try:
        token = UUID(visit.said("token"))
    except ValueError:
        raise HTTPException(404, "There is no such token.") from None
    [revoked] = visit.called("console_revoke_token", token, person.session, person.who, address_of(visit.request))
    if not revoked:
        raise HTTPException(404, "There is no such token, or it was revoked before.")
    return visit.go("/console/tokens", "token_revoked", what="")  # the function has kept it


def _page(visit: Visit, status: int = 200, *, wrong: str = "", made: str = "", secret: str = "") -> Response:
    roles: tuple[Role, ...] = ("operator",) if visit.person.tenant is None else RANKS[:-1]
    said = {name: visit.said(name) if wrong else "" for name in ("name", "role", "days", "per_minute")}
    if not said["per_minute"]:
        said["per_minute"] = _USUAL_PER_MINUTE
    return visit.show(
        "tokens.html.j2", status, rows=visit.called("console_tokens"), roles=roles, days=_DAYS, said=said, wrong=wrong,
        made=made, secret=secret, key=new_token(),
    )  # fmt: skip
