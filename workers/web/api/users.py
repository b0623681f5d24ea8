"""The database as a user sees it: a request is one transaction with the user's claims; row-level security isolates."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool
from starlette.exceptions import HTTPException

from workers import clock
from workers.db.session import LOCK_TIMEOUT, PLAIN_SETTINGS, Connection, connection_options
from workers.errors import DatabaseUnavailableError
from workers.runtime.roles import Role
from workers.settings import database_url

_STATEMENT_TIMEOUT: Final = "5s"
_MOST_CONNECTIONS: Final = 10
_WAIT_SECONDS: Final = 5
NOT_ALLOWED: Final = "The database does not let this user do that."

Claims = dict[str, Any]


class Acting(NamedTuple):
    """A transaction as a user, and who that is.

    Attributes:
        connection: the database as the user sees it.
        tenant: the user's own.
        role: what the user may do.
        who: an address, or the name of a token.
    """

    connection: Connection
    tenant: UUID
    role: Role
    who: str


class Users:
    """Gives transactions to requests, over a small pool that the first of them opens."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pool: ConnectionPool[Connection] | None = None

    @contextmanager
    def begun(self) -> Iterator[Connection]:
        """Run a block as one transaction, of nobody as yet.

        Raises:
            psycopg.OperationalError: no connection is to be had within five seconds, or the database does not answer.
        """
        with ExitStack() as stack:
            yield self._begin(stack)

    def _begin(self, stack: ExitStack) -> Connection:
        """Begin a transaction that ends with the stack, on a connection that is still there.

        To ask each connection for a sign of life would cost as much as to begin: one that was lost says so by then.
        """
        for _ in range(_MOST_CONNECTIONS):
            connection = stack.enter_context(self._opened().connection())
            try:
                stack.enter_context(connection.transaction())
            except psycopg.OperationalError:
                if not connection.broken:
                    raise
                stack.pop_all().close()  # the pool makes another one
            else:
                return connection
        raise psycopg.OperationalError("every connection is lost as soon as it is made")

    @contextmanager
    def acting(self, claims: Claims) -> Iterator[Acting]:
        """Run a block as one transaction of the user whose claims these are.

        Raises:
            HTTPException: 403, the user belongs to no tenant, or may not do what the block does.
            psycopg.OperationalError: as for `begun`.
            DatabaseUnavailableError: the fleet's own login may not act for users.
        """
        with self.begun() as connection:
            acting = become_user(connection, claims)
            try:
                yield acting
            except psycopg.errors.InsufficientPrivilege as error:
                raise HTTPException(403, NOT_ALLOWED) from error

    @contextmanager
    def working(self) -> Iterator[Connection]:
        """Run a block as one transaction of the workers, for what is no user's: who signs in, and the operator.

        Raises:
            psycopg.OperationalError: as for `begun`.
        """
        with self.begun() as connection:
            become_worker(connection)
            yield connection

    def close(self) -> None:
        """Close the pool; the next transaction opens another one."""
        with self._lock:
            if self._pool is not None:
                self._pool.close()
                self._pool = None

    def _opened(self) -> ConnectionPool[Connection]:
        with self._lock:
            if self._pool is None:
                self._pool = ConnectionPool(
                    kwargs=connection_options(database_url()),
                    min_size=0,
                    max_size=_MOST_CONNECTIONS,
                    timeout=_WAIT_SECONDS,
                    reconnect_timeout=_WAIT_SECONDS,
                    open=True,
                )
            return self._pool


def become_user(connection: Connection, claims: Claims) -> Acting:
    """Make a transaction the user's; role, claims and timeouts are local to it: the connection goes back as it came.

    Raises:
        HTTPException: 403, the user belongs to no tenant.
        DatabaseUnavailableError: the fleet's own login may not act for users.
    """
    try:
        with connection.pipeline():  # one way to the server and back
            _become(connection, "authenticated", json.dumps(claims))
            row = connection.execute("SELECT * FROM calling_user()").fetchone()
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseUnavailableError(
            f"DATABASE_URL's login must be a member of the role authenticated: {error}"
        ) from None
    if row is None or row["tenant_id"] is None:
        raise HTTPException(403, "This user belongs to no tenant: there is no profile of that id.")
    return Acting(connection, row["tenant_id"], row["role"], row["who"])


def become_worker(connection: Connection) -> None:
    """Make a transaction the workers', whosever it was before."""
    _become(connection, "service_role", "")


def called(connection: Connection, function: str, *arguments: Any) -> list[Any]:
    """Return what a function of the database yields, a value or a row as JSON each."""
    statement = sql.SQL("SELECT {}({}) AS row").format(
        sql.Identifier(function), sql.SQL(", ").join(sql.Placeholder() * len(arguments))
    )
    return [row["row"] for row in connection.execute(statement, arguments)]


def _become(connection: Connection, role: str, claims: str) -> None:
    instant = clock.override()
    connection.execute(
        "SELECT set_config('request.jwt.claims', %s, true), set_config('fleet.now', %s, true),"
        " set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true),"
        f" set_config('role', %s, true), {PLAIN_SETTINGS}",
        [claims, instant.isoformat() if instant else "", LOCK_TIMEOUT, _STATEMENT_TIMEOUT, role],
    )


users: Final = Users()
