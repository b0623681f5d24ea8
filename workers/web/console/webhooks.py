"""Which addresses are told of what happens, what of it they took, and switching, testing and forgetting them."""

from typing import Final
from uuid import UUID

import psycopg
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers.delivery.webhook_call import new_secret, require_reachable
from workers.settings import settings
from workers.web.console.door import Visit

_ACTS: Final = ("on", "off", "test", "retry", "remove")
_LONGEST_URL: Final = 2_000


def show(visit: Visit) -> Response:
    """Show the addresses with what waits for them and what they took last."""
    return _page(visit)


def add(visit: Visit) -> Response:
    """Tell an address from now on; the page that answers shows the secret that signs it, once."""
    url, events = visit.said("url"), visit.form.get("events", [])
    if visit.person.tenant is None:
        return _page(visit, 400, wrong="Please choose a tenant first: of whose events is it told?")
    known = visit.called("console_webhook_events")
    if not events or set(events) - set(known) or len(url) > _LONGEST_URL:
        return _page(visit, 400, url=url, wrong="An address is told of some of the events that there are.")
    try:
        require_reachable(url, allow_private=settings().fleet_webhook_allow_private)
        secret = new_secret()
        with visit.connection.transaction():
            visit.called("console_add_webhook", url, events, secret, visit.person.who)
    except ValueError as error:
        return _page(visit, 400, url=url, wrong=f"The URL {error}.")
    except psycopg.errors.UniqueViolation as error:
        return _page(visit, 409, url=url, wrong=f"{error.diag.message_primary}.")
    visit.did = ("adds a webhook", url)
    return _page(visit, added=url, secret=secret)


def change(visit: Visit) -> Response:
    """Switch an address on or off, test it, try its dead events again, or forget it."""
    act = visit.said("act")
    if act not in _ACTS:
        raise HTTPException(400, "There is nothing of that name to do.")
    try:
        endpoint = UUID(visit.said("endpoint"))
    except ValueError:
        raise HTTPException(404, "There is no such address.") from None
    [found] = visit.called("console_set_webhook", endpoint, act, visit.person.who)
    if not found:
        raise HTTPException(404, "There is no such address.")
    return visit.go("/console/webhooks", f"webhook_{act}", what=f"webhook {act}", item=str(endpoint))


def _page(
    visit: Visit, status: int = 200, *, url: str = "", wrong: str = "", added: str = "", secret: str = ""
) -> Response:
    return visit.show(
        "webhooks.html.j2", status, rows=visit.called("console_webhooks"), url=url, wrong=wrong, added=added,
        secret=secret,
        events=visit.called("console_webhook_events"),
    )  # fmt: skip
