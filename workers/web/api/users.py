"""The database as a user sees it: a request is one transaction with the user's claims; row-level security isolates."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg_pool import ConnectionPool
from starlette.exceptions import HTTPException

from workers import clock
from workers.db.session import LOCK_TIMEOUT, PLAIN_SETTINGS, Connection, connection_options
from workers.db.session import transaction as worker_transaction
from workers.errors import DatabaseUnavailableError
from workers.settings import database_url
from workers.web.api.identity import Claims

_STATEMENT_TIMEOUT: Final = "5s"
_MOST_CONNECTIONS: Final = 10
_WAIT_SECONDS: Final = 5


class Acting(NamedTuple):
    """A transaction as a user, and the tenant that is the user's."""

    connection: Connection
    tenant: UUID


class Users:
    """Gives transactions to requests, over a small pool that the first of them opens."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._pool: ConnectionPool[Connection] | None = None

    @contextmanager
    def acting(self, claims: Claims) -> Iterator[Acting]:
        """Run a block as one transaction of the user whose claims these are.

        Role, claims and timeouts are local to the transaction: the connection goes back as it came.

        Raises:
            HTTPException: 403, the user belongs to no tenant, or may not do what the block does.
            psycopg.OperationalError: no connection is to be had within five seconds, or the database does not answer.
            DatabaseUnavailableError: the fleet's own login may not act for users.
        """
        with self._opened().connection() as connection, connection.transaction():
            tenant = _become(connection, claims)
            try:
                yield Acting(connection, tenant)
            except psycopg.errors.InsufficientPrivilege as error:
                raise HTTPException(403, "The database does not let this user do that.") from error

    @contextmanager
    def working(self) -> Iterator[Connection]:
        """Run a block as one transaction of the workers, for what is no user's: who signs in, and the operator.

        Raises:
            psycopg.OperationalError: no connection is to be had within five seconds, or the database does not answer.
        """
        with self._opened().connection() as connection, worker_transaction(connection):
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [_STATEMENT_TIMEOUT])
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
                    check=ConnectionPool.check_connection,
                    open=True,
                )
            return self._pool


def _become(connection: Connection, claims: Claims) -> UUID:
    """Make the transaction the user's, and return the user's tenant."""
    instant = clock.override()
    try:
        connection.execute(
            "SELECT set_config('request.jwt.claims', %s, true), set_config('fleet.now', %s, true),"
            " set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true),"
            f" set_config('role', 'authenticated', true), {PLAIN_SETTINGS}",
            [json.dumps(claims), instant.isoformat() if instant else "", LOCK_TIMEOUT, _STATEMENT_TIMEOUT],
        )
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseUnavailableError(
            f"DATABASE_URL's login must be a member of the role authenticated: {error}"
        ) from None
    row = connection.execute("SELECT current_tenant_id() AS tenant").fetchone()
    if row is None or row["tenant"] is None:
        raise HTTPException(403, "This user belongs to no tenant: there is no profile of that id.")
    tenant: UUID = row["tenant"]
    return tenant


users: Final = Users()
