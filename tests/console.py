"""People at the console: signed in as they are, with a browser's headers."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import httpx

from tests.web import NO_TLS
from workers.db.session import Connection
from workers.runtime.console_links import new_link

# What the roles of a CRM's profiles are called, by what they may do at the console.
PROFILES = {"reader": "viewer", "agent": "sales", "manager": "admin"}


@contextmanager
def signed_in(
    client: httpx.Client, connection: Connection, profile: UUID | None = None, *, operator: str = "root"
) -> Iterator[httpx.Client]:
    """A browser of its own in which a person of a tenant, or the operator, is signed in."""
    base = str(client.base_url).rstrip("/")
    link = new_link(connection, base, profile=profile, operator=None if profile else operator)
    with browser(base) as visitor:
        entered = visitor.post("/console/enter", data={"token": link.partition("token=")[2]})
        assert entered.status_code == 303, entered.text
        yield visitor


@contextmanager
def browser(base: str) -> Iterator[httpx.Client]:
    """A browser in which nobody is signed in; its forms come from pages of this site."""
    ours = {"Origin": base, "Sec-Fetch-Site": "same-origin"}
    with httpx.Client(base_url=base, headers=ours, verify=NO_TLS) as visitor:
        yield visitor
