"""The door of the console: who asks, whether that one may, whether this site asked, and what is kept of it."""

import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import psycopg
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from workers.db.session import Connection
from workers.errors import FleetError
from workers.runtime.roles import Role
from workers.settings import settings
from workers.web.api.users import become_worker
from workers.web.console.people import Person, acting_as, called, person_with
from workers.web.console.show import page

logger = logging.getLogger(__name__)

# Nothing inline, nothing from elsewhere. Forms are this site's, so the referrer may tell it where they were.
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self';"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
DONE: Final = {
    "accepted": "The found value is taken over.",
    "answer": "Somebody works on it; nobody is reminded meanwhile.",
    "approve": "{n:,} approved.",
    "backfill": "{n:,} slots are being worked, the oldest first; this page shows those that are done.",
    "cancel": "{n:,} cancelled.",
    "changed": "{n:,} changed.",
    "complete": "The check is completed.",
    "edit": "Saved.",
    "engine_on": "It goes on: its slots come again.",
    "engine_paused": "It is paused: none of its slots comes until somebody lets it go on.",
    "kept": "Version {n:,} is in force.",
    "nothing": "Nothing was changed.",
    "now": "{n:,} may leave now, as far as the guards let them.",
    "paused": "Nothing leaves before then; {n:,} moved.",
    "rejected": "The CRM's value stays; this is not asked again.",
    "reset": "The shipped text is in force again, as version {n:,}.",
    "retry": "{n:,} will be tried again.",
    "retried": "It is being run for that tenant alone; this page shows it as a run by hand.",
    "removed": "The address may be written to again.",
    "resumed": "The pause has ended.",
    "revoked": "The session has ended.",
    "run_cancelled": "It is cancelled. A worker that is at it leaves off after the batch in hand.",
    "settled": "The answer is off the list.",
    "snooze": "{n:,} put off.",
    "started": "The engine was started; this page shows what it did when it has run.",
    "suppressed": "Nobody writes there any more.",
    "token_revoked": "The token is good for nothing any more.",
    "waive": "The check is waived.",
    "webhook_off": "It is told of nothing until it is switched on again.",
    "webhook_on": "It is told again.",
    "webhook_remove": "It is forgotten.",
    "webhook_retry": "What was given up is tried again.",
    "webhook_test": "An event webhook.test leaves with the next pass, within a minute; the page shows what came of it.",
}
_SECURE_COOKIE: Final = "__Host-fleet"  # a browser takes it over TLS alone, for this host alone
_LOCAL_COOKIE: Final = "fleet"
_SIGN_IN: Final = "/console/sign-in"
_MEANINGS: Final = {
    400: "That was not understood",
    401: "Please sign in again",
    403: "That is not for you",
    404: "There is nothing here",
    405: "There is nothing here",
    409: "That is not possible",
    413: "That is too much",
    503: "The fleet cannot answer now",
}

Words = dict[str, list[str]]


@dataclass(slots=True)
class Visit:
    """A request of somebody who is signed in, inside that person's transaction.

    Attributes:
        request: as it came.
        person: who asks.
        connection: the database as that person sees it.
        query: what stands behind the question mark.
        form: what was posted.
        did: what is kept in the trail: what was done, and to what.
    """

    request: Request
    person: Person
    connection: Connection
    query: Words
    form: Words
    did: tuple[str, str] | None = field(default=None)

    def called(self, function: str, *arguments: Any) -> list[Any]:
        """Return what a function of console_pages.sql yields for the person's tenant."""
        return self.called_for(self.person.tenant, function, *arguments)

    def called_for(self, tenant: UUID | str | None, function: str, *arguments: Any) -> list[Any]:
        """Return what such a function yields for a tenant, which for a tenant's person must be the own one."""
        return called(self.connection, function, tenant, *arguments)

    def asked(self, name: str) -> str:
        """Return one value of the query, stripped; empty if it is not there."""
        return self.query.get(name, [""])[-1].strip()

    def said(self, name: str) -> str:
        """Return one value of the form, stripped; empty if it is not there."""
        return self.form.get(name, [""])[-1].strip()

    def written(self, name: str) -> str:
        """Return a text of the form that may have several lines, as it was written."""
        return self.form.get(name, [""])[-1].replace("\r\n", "\n")

    def show(self, template: str, status: int = 200, /, **values: object) -> HTMLResponse:
        """Return a page."""
        here = self.request.url.path
        common = {"person": self.person, "zone": self.person.time_zone, "here": here, "done": self._done()}
        return HTMLResponse(page(template, **common, tenants=self._tenants(), **values), status)

    def go(
        self,
        path: str,
        done: str = "",
        number: int = 1,
        *,
        what: str,
        item: str = "",
        task: BackgroundTask | None = None,
    ) -> Response:
        """Return the way on after something was done: `what` is kept in the trail, `done` is said by the next page."""
        self.did = (what, item) if what else None
        if done:
            place, _, fragment = path.partition("#")
            said = urlencode({"done": done, "n": number})
            path = f"{place}{'&' if '?' in place else '?'}{said}{'#' if fragment else ''}{fragment}"
        return RedirectResponse(path, 303, background=task)

    def _done(self) -> str:
        """Return what was just done; whoever makes a link can choose which sentence, and no words."""
        number = self.asked("n")[:6]
        return DONE.get(self.asked("done"), "").format(n=int(number) if number.isdecimal() else 0)

    def _tenants(self) -> list[dict[str, Any]]:
        """The tenants that an operator may look at."""
        if self.person.role != "operator":
            return []
        return self.connection.execute("SELECT id, name FROM tenants ORDER BY name LIMIT 500").fetchall()


def session_of(request: Request) -> str | None:
    """Return the token that a request's cookie bears."""
    return request.cookies.get(_SECURE_COOKIE if is_secure(request) else _LOCAL_COOKIE)


def set_session(request: Request, response: Response, token: str) -> None:
    """Give the browser a session's token, or (an empty one) take it away."""
    secure = is_secure(request)
    response.set_cookie(
        _SECURE_COOKIE if secure else _LOCAL_COOKIE, token, max_age=None if token else 0, path="/", secure=secure,
        httponly=True, samesite="lax",
    )  # fmt: skip


def address_of(request: Request) -> str | None:
    """Return the network address that a request came from."""
    return request.client.host if request.client else None


def signed_in(path: str, handler: Callable[[Visit], Response], least: Role = "reader", method: str = "GET") -> Route:
    """Return the route of a page that only people of a role, or a higher one, see."""

    def serve(request: Request, form: Words) -> Response:
        person = person_with(session_of(request))
        if person is None:
            return _to_sign_in(request)
        if not person.may(least):
            return problem(request, 403, f"This needs the role {least}; yours is {person.role}.", person)
        with acting_as(person) as connection:
            visit = Visit(request, person, connection, parse_qs(request.url.query, keep_blank_values=True), form)
            response = handler(visit)
            if visit.did is not None:  # in the same transaction: nothing is done that is not kept, nor the other way
                _note(visit, *visit.did)
        return response

    return Route(path, _endpoint(serve), methods=[method])


def for_anybody(path: str, handler: Callable[[Request, Words], Response], method: str = "GET") -> Route:
    """Return the route of a page for whoever is not signed in."""
    return Route(path, _endpoint(handler), methods=[method])


def problem(request: Request, status: int, detail: str, person: Person | None = None) -> Response:
    """Return a page that says what went wrong."""
    heading = _MEANINGS.get(status, "Something went wrong")
    html = page(
        "problem.html.j2", heading=heading, detail=detail, person=person, tenants=[], here=request.url.path, done="",
        zone="UTC",
    )  # fmt: skip
    return HTMLResponse(html, status)


def _endpoint(
    serve: Callable[[Request, Words], Response],
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    async def endpoint(request: Request) -> Response:
        form: Words = {}
        try:
            if request.method == "POST":
                _require_this_site(request)
                form = parse_qs((await request.body()).decode(), keep_blank_values=True)
            response = await run_in_threadpool(serve, request, form)
        except HTTPException as error:
            response = problem(request, error.status_code, error.detail)
        except (UnicodeDecodeError, psycopg.DataError):
            response = problem(request, 400, "There is a value in it that no field takes.")
        except (psycopg.OperationalError, FleetError) as error:
            logger.warning("%s %s cannot be answered: %s", request.method, request.url.path, error)
            response = problem(request, 503, "The log says why. Please try again in a moment.")
        except Exception:
            logger.exception("%s %s failed", request.method, request.url.path)
            response = problem(request, 500, "The fleet made a mistake; its log says which.")
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return endpoint


def _require_this_site(request: Request) -> None:
    """Make sure that a form was sent by a page of this site.

    Raises:
        HTTPException: 403, another site made the browser send it, or it cannot be told.
    """
    origin, fetched = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    host = request.headers.get("host")
    ours = origin in (f"http://{host}", f"https://{host}") if origin else fetched == "same-origin"
    if not ours or fetched not in (None, "same-origin"):
        raise HTTPException(403, "This was not sent by a page of the console.")


def _to_sign_in(request: Request) -> Response:
    if request.method != "GET":
        return problem(request, 401, "Your session has ended; nothing was changed. Please sign in again.")
    if request.headers.get("hx-request"):  # a part of a page cannot be replaced by the page for signing in
        return Response(status_code=401, headers={"HX-Redirect": _SIGN_IN})
    return RedirectResponse(_SIGN_IN, 303)


def _note(visit: Visit, what: str, item: str) -> None:
    person = visit.person
    become_worker(visit.connection)
    visit.connection.execute(
        "SELECT note_console(%s, %s, %s, %s, %s, %s)",
        [person.tenant, person.session, person.who, what, item or None, address_of(visit.request)],
    )


def is_secure(request: Request) -> bool:
    """Say whether the browser speaks TLS: with us, or with what stands before us at the public address."""
    public = settings().fleet_public_url
    return request.url.scheme == "https" or (
        public is not None and urlsplit(public).netloc == request.headers.get("host")
    )
