"""The way out of further letters (RFC 8058): whoever opens the link is asked, and only a POST acts."""

import logging
from typing import Any, Final, Literal

import psycopg
from starlette.requests import Request
from starlette.responses import HTMLResponse

from workers.correspondence import read_opt_out_token
from workers.db.session import Connection, connect, transaction
from workers.delivery.wording import ENGLISH, LANGUAGES, language_of
from workers.errors import FleetError
from workers.settings import database_url
from workers.web.pages import rendered

logger = logging.getLogger(__name__)

# What a page says: shall we stop, we have, this link is none of ours, or the fleet cannot answer now.
State = Literal["ask", "done", "unknown", "later"]
_STATUS: Final[dict[State, int]] = {"ask": 200, "done": 200, "unknown": 404, "later": 503}


def ask(request: Request) -> HTMLResponse:
    """Show who would write no more to whom, and a button. Mail scanners open links: this changes nothing."""
    return _answer(request, act=False)


def unsubscribe(request: Request) -> HTMLResponse:
    """Write no more to the reader: what the button posts, or a mail program by itself."""
    return _answer(request, act=True)


def _answer(request: Request, *, act: bool) -> HTMLResponse:
    action = read_opt_out_token(request.path_params["token"])
    if action is None:
        return _page("unknown", request)
    try:
        with connect(database_url()) as connection:
            reader = _reader(connection, action)
            if reader is None:
                return _page("unknown", request)
            if act:
                with transaction(connection):
                    connection.execute("SELECT opt_out_by_link(%s)", [action])
                logger.info("somebody who got action %d wants no more of them", action)
    except (psycopg.Error, FleetError):
        logger.exception("action %d: who wants no more mail could not be heard", action)
        return _page("later", request)
    return _page("done" if act else "ask", request, reader)


def _reader(connection: Connection, action: int) -> dict[str, Any] | None:
    return connection.execute("SELECT * FROM opt_out_reader(%s)", [action]).fetchone()


def _page(state: State, request: Request, reader: dict[str, Any] | None = None) -> HTMLResponse:
    language = _language(request, reader)
    html = rendered(
        "unsubscribe.html.j2",
        state=state,
        language=language,
        tenant=reader["tenant_name"] if reader else None,
        address=_masked(reader["address"]) if reader and reader["address"] else None,
    )
    return HTMLResponse(html, _STATUS[state], {"Content-Language": language})


def _language(request: Request, reader: dict[str, Any] | None) -> str:
    """The letter's language, or for whom there is none, the first of the browser's."""
    if reader:
        wishes = [reader["contact_language"], reader["tenant_language"], reader["locale"]]
    else:
        wishes = [wish.partition(";")[0] for wish in request.headers.get("accept-language", "").split(",")]
    language = language_of(*wishes).partition("-")[0]
    return language if language in LANGUAGES else ENGLISH


def _masked(address: str) -> str:
    """Show enough of an address for its owner: a letter may have been passed on."""
    name, _, domain = address.rpartition("@")
    return f"{name[:1]}…@{domain}"
