"""Connections and transactions of the workers: the right role, the fleet's clock, errors said plainly."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from workers import clock
from workers.db.revisions import KNOWN, VERSION_TABLE
from workers.errors import DatabaseUnavailableError, SchemaMismatchError, SpoiltError

Connection = psycopg.Connection[dict[str, Any]]

# What the database says of a row that it will not take. Whatever else it says (a lost connection, a deadlock, a
# timeout) is no fault of the row.
REFUSALS: Final = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.InternalError,
    psycopg.ProgrammingError,
    psycopg.errors.ProgramLimitExceeded,
)

# Nothing is wrong with the work: somebody, the CRM perhaps, holds what it needs. It is tried again.
LOCKED_OUT: Final = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.SerializationFailure,
)
# A server that is gone without a word (a pulled cable, a failover) is noticed within half a minute, whether an answer
# is awaited or a question is on its way. What the URL says of these goes before.
_LIVENESS: Final[dict[str, Any]] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
}
# What a host may have set otherwise for its database or roles: names would mean others' tables, dates be unreadable.
PLAIN_SETTINGS: Final = (
    "set_config('search_path', 'public, pg_temp', true), set_config('datestyle', 'ISO', true),"
    " set_config('intervalstyle', 'postgres', true)"
)
# Nobody waits longer for a lock: whoever holds it must not stop the work that does not need it.
LOCK_TIMEOUT: Final = "5s"


@dataclass(slots=True)
class _Whole:
    """A transaction that has no savepoints."""

    connection: Connection
    now: str | None = None  # the clock that it was told last
    spoilt: bool = False


_whole: ContextVar[_Whole | None] = ContextVar("whole", default=None)


def connection_options(url: str) -> dict[str, Any]:
    """Return how psycopg connects to a URL, for a connection as for a pool of them.

    Statements are never prepared on the server, so a transaction pooler may stand in between.
    """
    return {
        **_LIVENESS,
        **conninfo_to_dict(url),
        "autocommit": True,
        "prepare_threshold": None,
        "row_factory": dict_row,
        "application_name": "p1-fleet",
    }


@contextmanager
def connect(url: str) -> Iterator[Connection]:
    """Open a connection for one run; a process that does one thing at a time needs no pool.

    Raises:
        DatabaseUnavailableError: the server does not answer, or answers that it will not.
    """
    try:
        connection: Connection = psycopg.connect(**connection_options(url))
    except psycopg.ProgrammingError:  # its words may quote the password
        raise DatabaseUnavailableError("the database's URL cannot be read: is DATABASE_URL right?") from None
    except psycopg.OperationalError as error:
        place = conninfo_to_dict(url)
        reason = next(line for line in str(error).splitlines() if line.strip()).split("failed: ")[-1].strip()
        raise DatabaseUnavailableError(
            f"cannot reach the database {place.get('dbname', '')} at {place.get('host', 'localhost')}: "
            f"{reason} (is it running? is DATABASE_URL right?)"
        ) from None
    with connection:
        yield connection


@contextmanager
def transaction(connection: Connection, *, force_rollback: bool = False) -> Iterator[None]:
    """Run a block as one transaction (a savepoint inside another) as service_role, at the fleet's clock.

    Inside `undivided` it is no savepoint, but a part. A lock that is not to be had within five seconds raises
    LockNotAvailable. Role, clock, that limit and the other settings are local to the transaction: a pooled connection
    goes back as it came.
    """
    instant = clock.override()
    now = instant.isoformat() if instant else ""
    whole = _whole.get()
    if whole is not None and whole.connection is connection and not force_rollback:
        with _part(whole, now):
            yield
        return
    with connection.transaction(force_rollback=force_rollback):
        connection.execute(
            "SELECT set_config('role', 'service_role', true), set_config('fleet.now', %s, true),"
            f" set_config('lock_timeout', %s, true), {PLAIN_SETTINGS}",
            [now, LOCK_TIMEOUT],
        )
        yield


@contextmanager
def undivided(connection: Connection) -> Iterator[None]:
    """Let the transactions of a block be parts of the one around it, without savepoints.

    Of each version of a row that it passes, PostgreSQL looks up under which savepoint it was written: with thousands of
    them that is most of what a long transaction costs.

    Raises:
        SpoiltError: an exception left a part. What that did cannot be taken back alone, so the whole is worth nothing.
    """
    whole = _Whole(connection)
    token = _whole.set(whole)
    try:
        yield
    except Exception as error:
        if whole.spoilt and not connection.closed:
            raise SpoiltError from error
        raise
    finally:
        _whole.reset(token)
    if whole.spoilt:
        raise SpoiltError


@contextmanager
def _part(whole: _Whole, now: str) -> Iterator[None]:
    if whole.spoilt:
        raise SpoiltError
    try:
        if now != whole.now:
            whole.connection.execute("SELECT set_config('fleet.now', %s, true)", [now])
            whole.now = now
        yield
    except BaseException:
        whole.spoilt = True
        raise


def require_current_schema(connection: Connection) -> None:
    """Make sure that this code can work with the database.

    It can at this release's revision, and at a newer one that still supports this release (supported_from()), as while
    a new release is rolled out.

    Raises:
        SchemaMismatchError: it is not migrated, behind, or too far ahead of this code.
    """
    row = connection.execute("SELECT to_regclass(%s) AS present", [VERSION_TABLE]).fetchone()
    if row is None or row["present"] is None:
        raise SchemaMismatchError("the database is not migrated: run `fleet db migrate`")
    row = connection.execute(sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(VERSION_TABLE))).fetchone()
    revision = row["version_num"] if row else None
    if revision == KNOWN[-1]:
        return
    if revision is None or revision in KNOWN:
        raise SchemaMismatchError(
            f"the database is at {revision or 'no revision'}, this code needs {KNOWN[-1]}: run `fleet db migrate`"
        )
    row = connection.execute("SELECT supported_from() AS oldest").fetchone()
    if row is None or row["oldest"] > KNOWN[-1]:
        raise SchemaMismatchError(
            f"the database is migrated to {revision}, which this code does not know: install the matching release"
        )
