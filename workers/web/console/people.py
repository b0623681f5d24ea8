"""Who is at the console, and the database as that person sees it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from workers.db.session import Connection
from workers.runtime.roles import Role, may
from workers.runtime.tokens import token_hash
from workers.web.api import users as database
from workers.web.api.users import users

_INSTANTS: Final = ("at", "since", "slot", "run_at", "sent_at", "received_at", "waits_until")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in.

    Attributes:
        session: the number of the session.
        profile: of a tenant's person; None for the operator.
        who: the address, or what the operator is called.
        role: what may be done.
        tenant: the own one; for the operator the one that was chosen, None for all.
        tenant_name: its name.
        time_zone: in which instants are shown.
    """

    session: int
    profile: UUID | None
    who: str
    role: Role
    tenant: UUID | None
    tenant_name: str | None
    time_zone: str

    def may(self, least: Role) -> bool:
        """Say whether the role is this one or a higher one."""
        return may(self.role, least)


def person_with(token: str | None) -> Person | None:
    """Return who holds a session's token; None if nobody does any more."""
    if not token:
        return None
    with users.working() as connection:
        row = connection.execute("SELECT * FROM console_session(%s)", [token_hash(token)]).fetchone()
    if row is None:
        return None
    return Person(
        row["session_id"], row["profile_id"], row["who"], row["role"], row["tenant_id"], row["tenant_name"],
        row["time_zone"],
    )  # fmt: skip


@contextmanager
def acting_as(person: Person) -> Iterator[Connection]:
    """Run a block as one transaction of a person: a tenant's user with its claims, or the workers for the operator.

    Raises:
        HTTPException: 403, the person may not do what the block does.
    """
    if person.profile is None:
        with users.working() as connection:
            yield connection
    else:
        with users.acting({"sub": str(person.profile), "role": "authenticated"}) as acting:
            yield acting.connection


def called(connection: Connection, function: str, *arguments: Any) -> list[Any]:
    """Return what a function of console_pages.sql yields, row by row, with instants read."""
    return [_read(row) for row in database.called(connection, function, *arguments)]


def _read(value: Any) -> Any:  # JSON's own values
    """Read the instants of a row, and of the rows that it has lists of."""
    if not isinstance(value, dict):
        return value
    return {
        name: [_with_instants(item) for item in one] if isinstance(one, list) else one
        for name, one in _with_instants(value).items()
    }


def _with_instants(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {
        name: datetime.fromisoformat(one)
        if isinstance(one, str) and (name in _INSTANTS or name.endswith("_at"))
        else one
        for name, one in value.items()
    }
