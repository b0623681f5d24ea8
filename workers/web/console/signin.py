"""Signing in and out: a link by mail, or the operator's own, and the button that uses it up."""

import logging
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from workers.db.session import connect
from workers.delivery.channels import Sent
from workers.delivery.deliver import channel_for
from workers.delivery.message import Letter
from workers.runtime.console_links import local_address, new_link
from workers.runtime.tokens import new_token, token_hash
from workers.settings import database_url, settings
from workers.web.api.users import users
from workers.web.console.door import Visit, Words, address_of, session_of, set_session
from workers.web.console.people import person_with
from workers.web.console.show import page

logger = logging.getLogger(__name__)

_LETTER: Final = """\
Somebody, most likely you, asked to sign in to the console of the automation fleet.
{links}
Each link works once, within fifteen minutes. If you did not ask, do nothing: nobody is signed in without it.
"""


def ask(request: Request, _: Words) -> Response:
    """Show the form that asks for a link."""
    if person_with(session_of(request)) is not None:
        return RedirectResponse("/console/", 303)
    return sign_in_page("ask")


def send(request: Request, form: Words) -> Response:
    """Answer that a link is on its way, whether the address is known or not."""
    address = form.get("address", [""])[-1].strip()
    if "@" not in address:
        return sign_in_page("ask", 400, wrong="Please write an e-mail address, such as ann@example.com.")
    return HTMLResponse(_html("sent"), background=BackgroundTask(_mail_links, address, address_of(request)))


def hold(request: Request, _: Words) -> Response:
    """Show whom a link would sign in, and a button. Mail scanners open links: this changes nothing."""
    token = request.query_params.get("token", "")
    with users.working() as connection:
        holder = connection.execute("SELECT * FROM console_link_holder(%s)", [token_hash(token)]).fetchone()
    if holder is None:
        return sign_in_page("used", 404)
    return sign_in_page("enter", token=token, **holder)


def enter(request: Request, form: Words) -> Response:
    """Use a link up, and begin a session."""
    session = begin_session(request, form.get("token", [""])[-1])
    if not session:
        return sign_in_page("used", 404)
    response = RedirectResponse("/console/", 303)
    set_session(request, response, session)
    return response


def begin_session(request: Request, link: str) -> str:
    """Use a link up, and return the token of the session that it begins; empty if the link does not work."""
    session = new_token()
    with users.working() as connection:
        row = connection.execute(
            "SELECT enter_console(%s, %s, %s) AS entered",
            [token_hash(link), token_hash(session), address_of(request)],
        ).fetchone()
    return session if row and row["entered"] else ""


def leave(visit: Visit) -> Response:
    """End the session."""
    with users.working() as connection:
        connection.execute("SELECT end_console_sessions(%s)", [visit.person.session])
    response = visit.go("/console/sign-in", what="signs out")
    set_session(visit.request, response, "")
    return response


def look_at(visit: Visit) -> Response:
    """Let the operator look at one tenant, or at all of them."""
    chosen = visit.said("tenant")
    try:
        tenant = UUID(chosen) if chosen else None
    except ValueError:
        raise HTTPException(404, "There is no such tenant.") from None
    row = visit.connection.execute("SELECT look_at_tenant(%s, %s) AS there", [visit.person.session, tenant]).fetchone()
    if row is None or not row["there"]:
        raise HTTPException(404, "There is no such tenant.")
    return visit.go(safe_path(visit.said("next")), what="looks at a tenant", item=chosen or "all")


def safe_path(path: str) -> str:
    """Return a path of the console that somebody asked to be led to; the first page where it is anything else."""
    fine = path.startswith("/console/") and "\\" not in path and path.isprintable()
    return path if fine else "/console/"


def _mail_links(address: str, origin: str | None) -> None:
    """Mail the links of whoever has an address, one for each tenant; nobody waits for this."""
    with connect(database_url()) as connection, users.working() as asking:
        row = asking.execute("SELECT may_ask_for_link(%s, %s) AS may", [address, origin]).fetchone()
        people = asking.execute("SELECT * FROM console_people(%s)", [address]).fetchall() if row and row["may"] else []
        base = settings().fleet_public_url or local_address()
        links = [f"{one['tenant_name']}:\n{new_link(connection, base, profile=one['profile_id'])}\n" for one in people]
    if not people:
        return
    message = EmailMessage()
    try:
        message["From"], message["To"] = settings().fleet_mail_from, people[0]["address"]
    except ValueError:  # what a CRM calls an address may be none
        logger.warning("no link can be mailed to a profile whose address is none")
        return
    message["Subject"] = "Sign in to the automation fleet"
    message["Message-ID"] = make_msgid("sign-in", "fleet.invalid")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_LETTER.format(links="\n" + "\n".join(links)))
    with channel_for(settings()) as channel:
        outcome = channel.send(Letter.of(message))
    if not isinstance(outcome, Sent):
        logger.warning("a link to sign in could not be mailed: %s", outcome.error)


def sign_in_page(state: str, status: int = 200, **values: object) -> HTMLResponse:
    """Return the page for who is not signed in yet, in one of its states."""
    return HTMLResponse(_html(state, **values), status)


def _html(state: str, **values: object) -> str:
    defaults: dict[str, object] = {
        "state": state, "wrong": "", "token": "", "who": "", "tenant_name": None, "links": {},
        "provider": urlsplit(settings().fleet_oidc_issuer or "").hostname,
    }  # fmt: skip
    return page("sign_in.html.j2", **defaults | values)
