"""Migrations: Alembic for state, plain files for functions; every step can be repeated."""

import hashlib
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
from alembic import command, op
from alembic.config import Config
from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable, ObjectInUse
from sqlalchemy import column, create_engine, insert, table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from workers.db.adoption import adopted
from workers.db.check import missing
from workers.db.crm_zone import forget_zone, keep_zone, work_in_zone
from workers.db.gently import adopt_orders, run_one_by_one, run_patiently
from workers.db.preflight import findings
from workers.db.revisions import HISTORY_TABLE, KNOWN, VERSION_TABLE
from workers.db.session import Connection, connect
from workers.errors import (
    DatabaseUnavailableError,
    FleetError,
    SchemaMismatchError,
    UnfitDatabaseError,
    first_line,
)
from workers.resources import engine_sql, shipped
from workers.settings import settings

# Around the engines' files, in the order in which they build on each other; adopt looks at rows and runs every time.
_BEFORE_ENGINES: Final = (
    "core", "calendar", "isolation", "words", "engines", "ledger", "timetable", "quotas", "limits", "mailboxes",
    "outbox", "sending", "webhooks",
)  # fmt: skip
_AFTER_ENGINES: Final = (
    "status", "correspondence", "inbound", "answers", "forwarding", "letters", "failures", "suppressions", "decisions",
    "pauses", "explain", "records", "runs", "traces", "watch", "tenant_settings", "analytics", "console",
    "console_pages", "console_templates", "console_compliance", "console_figures", "console_what_if", "console_hands",
    "console_access", "console_trail", "api", "policies",
)  # fmt: skip
_DEFAULT_MODES: Final = {"review": "review", "auto": "automatic", "off": "off"}  # by FLEET_DEFAULT_MODE
_LOCK_KEY: Final = 7_012_026  # any constant of our own: one migration at a time in a database
_LOCK_WAIT_SECONDS: Final = 60
# CRM tables that were created here stay after a rollback, and their policies still ask for the caller's tenant.
_ASKED_BY_POLICIES: Final = ("current_tenant_id", "claimed_user")
_NO_LIMIT: Final = [
    "transaction_timeout", "idle_session_timeout", "idle_in_transaction_session_timeout",
]  # fmt: skip


@dataclass(slots=True)
class Migration:
    """What a migration did: the revisions and the function files that were new, and how long it took."""

    revisions: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    adopted: dict[str, tuple[int, int]] = field(default_factory=dict)  # rows of an earlier P1: taken over, and not
    seconds: float = 0.0


def function_files() -> dict[str, Path]:
    """Return every file that defines functions, triggers, views or policies, by its name in the history, in order."""
    core = {name: shipped("schema") / "functions" / f"{name}.sql" for name in (*_BEFORE_ENGINES, *_AFTER_ENGINES)}
    files = {f"functions/{name}": core[name] for name in _BEFORE_ENGINES}
    for engine, paths in engine_sql().items():
        for path in paths:
            files[f"engines/{engine}" if path.stem == engine else f"engines/{engine}/{path.stem}"] = path
    return files | {f"functions/{name}": core[name] for name in _AFTER_ENGINES}


def run_migration_sql(*names: str, transactional: bool = True) -> None:
    """Run files of schema/migrations inside the revision that Alembic is applying.

    Args:
        names: the files' names. Together they wait for their locks, and give them back together.
        transactional: False sends each statement on its own, as CREATE INDEX CONCURRENTLY demands.
    """
    text = "".join(_migrations().joinpath(name).read_text() for name in names)
    if transactional:
        run_patiently(migration_connection(), text)
        return
    with op.get_context().autocommit_block():
        run_one_by_one(migration_connection(), text)


def migration_connection() -> psycopg.Connection[Any]:
    """Return the connection of the revision that Alembic is applying."""
    driver = op.get_bind().connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101  # for the type checker
    return driver


def migrate(url: str) -> Migration:
    """Bring a database to this code's schema, and repair functions, triggers, views, policies and indexes.

    Looks first, and changes nothing where something stands in the way, or where nothing is missing. A table or
    column that was dropped is not made up again: `check` names it, and a backup has its rows. How engines begin for
    tenants for whom nobody has decided is written by the first migration, and again wherever FLEET_DEFAULT_MODE is set.

    Args:
        url: a direct connection, not one through a transaction pooler.

    Raises:
        SchemaMismatchError: the database is ahead of this code, or tables of the fleet are gone.
        UnfitDatabaseError: the CRM is not as the fleet needs it; nothing was changed.
        FleetError: a step failed, on a lock for instance; nothing of it remains, and the next call goes on with it. Or
            FLEET_NAIVE_ZONE is another zone than the database was migrated with.
    """
    done = Migration()
    started = time.monotonic()
    with _exclusively(url) as connection:
        current = _known_revision(connection)
        if unfit := findings(connection, installed=current is not None):
            raise UnfitDatabaseError("the fleet cannot be installed, nothing was changed:", unfit)
        _lay_ground(connection)
        try:
            with _alembic(url, done.revisions) as config:
                command.upgrade(config, "head")
        finally:
            if _current_revision(connection) is None:  # the first step failed, and with it goes what prepared it
                _clear_ground(connection)
        if "0004_indexes" in done.revisions:
            done.adopted = adopted(connection)
        lacking = [] if done.revisions else missing(connection)
        if gone := [line.split()[1] for line in lacking if line.startswith("table ")]:
            raise SchemaMismatchError(
                f"tables of the fleet are gone ({', '.join(gone)}): bring them back from a backup, "
                "or start anew with `fleet db rollback` and `fleet db migrate`"
            )
        damaged = bool(lacking)
        if damaged:
            for path in sorted(_migrations().glob("*.sql")):
                if _builds_concurrently(path) and "rollback" not in path.name:
                    run_one_by_one(connection, path.read_text())
        for name, path in function_files().items():
            # Policies name every table, so a new revision brings them up to date too.
            stale = damaged or (name == "functions/policies" and bool(done.revisions))
            if _apply_functions(connection, name, path, force=stale):
                done.functions.append(name)
        work_in_zone(connection, _functions_of(function_files().values()))  # also where the zone was told only now
        with connection.transaction():
            connection.execute((shipped("schema") / "functions" / "adopt.sql").read_bytes())
            _set_default_mode(connection)
        adopt_orders(connection)
    done.seconds = time.monotonic() - started
    return done


def _set_default_mode(connection: Connection) -> None:
    chosen = settings().fleet_default_mode
    if chosen is not None:
        connection.execute(
            "INSERT INTO fleet_defaults (mode) VALUES (%s) ON CONFLICT (only_row) DO UPDATE SET mode = excluded.mode",
            [_DEFAULT_MODES[chosen]],
        )


def pending(connection: Connection) -> list[str]:
    """Return the revisions and function files that `migrate` would apply, in order.

    Raises:
        SchemaMismatchError: the database is ahead of this code.
    """
    current = _known_revision(connection)
    missing = list(KNOWN if current is None else KNOWN[KNOWN.index(current) + 1 :])
    known = _applied_checksums(connection)
    missing += [name for name, path in function_files().items() if known.get(name) != _checksum(path)]
    return missing


def applied(connection: Connection) -> list[str]:
    """Return the revisions that are applied, in order.

    Raises:
        SchemaMismatchError: the database is ahead of this code.
    """
    current = _known_revision(connection)
    return [] if current is None else list(KNOWN[: KNOWN.index(current) + 1])


def rollback(url: str) -> None:
    """Remove all of P1 and the fleet's own tables; the CRM's tables and rows stay as they were.

    Raises:
        SchemaMismatchError: there is nothing to remove, or the database is ahead of this code.
        FleetError: a lock could not be had in time; a second call goes on where this one stopped.
    """
    with _exclusively(url) as connection:
        current = _known_revision(connection)
        if current is None and not _exists(connection, HISTORY_TABLE):
            raise SchemaMismatchError("nothing to roll back: the database is not migrated")
        if current not in (None, KNOWN[0]):  # until then what bears these names is an earlier P1's
            with connection.transaction():
                _drop_functions(connection)
            _take_back_begun(connection, current)
        with _alembic(url, []) as config:
            command.downgrade(config, "base")
        row = connection.execute("SELECT FROM pg_policies WHERE policyname = 'fleet_own_tenant'").fetchone()
        if row is None:
            for function in _ASKED_BY_POLICIES:
                connection.execute(f"DROP FUNCTION IF EXISTS {function}()")
        _clear_ground(connection)


def _take_back_begun(connection: Connection, current: str) -> None:
    """Take back what a revision has left that sends its statements one by one, and that failed in the middle."""
    for name in KNOWN[KNOWN.index(current) + 1 :][:1]:
        if _builds_concurrently(_migrations() / f"{name}.sql"):
            with connection.transaction():
                run_patiently(connection, (_migrations() / f"{name}.rollback.sql").read_text())


def _builds_concurrently(path: Path) -> bool:
    return "CONCURRENTLY" in path.read_text()


def _drop_functions(connection: Connection) -> None:
    """Drop the triggers, views and functions that the function files define, last defined first."""
    text = "".join(path.read_text() for path in function_files().values())
    triggers = re.findall(r"^CREATE OR REPLACE TRIGGER (\w+)\s[^;]*?\bON (\w+)\s", text, re.MULTILINE)
    views = re.findall(r"^CREATE OR REPLACE VIEW (\w+)", text, re.MULTILINE)
    functions = reversed(_functions_of(function_files().values()))
    drops = [f"DROP TRIGGER IF EXISTS {trigger} ON {target}" for trigger, target in triggers]
    drops += [f"DROP VIEW IF EXISTS {view}" for view in reversed(views)]
    drops += ["DROP POLICY IF EXISTS fleet_managers ON console_audit"]  # which asks one of the functions
    drops += [f"DROP FUNCTION IF EXISTS {function}" for function in functions if function not in _ASKED_BY_POLICIES]
    run_patiently(connection, ";\n".join(drops))


def _functions_of(paths: Iterable[Path]) -> list[str]:
    """Return the names of the functions that these files define, in order."""
    text = "".join(path.read_text() for path in paths)
    return re.findall(r"^CREATE OR REPLACE FUNCTION (\w+)", text, re.MULTILINE)


@contextmanager
def _exclusively(url: str) -> Iterator[Connection]:
    """Hold the migration lock.

    It is polled: a session that waited inside the server would hold a snapshot, CREATE INDEX CONCURRENTLY
    waits for every snapshot, and the two would wait for each other.
    """
    with connect(url) as connection:
        _prepare(connection)
        deadline = time.monotonic() + _LOCK_WAIT_SECONDS
        while True:
            row = connection.execute("SELECT pg_try_advisory_lock(%s) AS locked", [_LOCK_KEY]).fetchone()
            if row is not None and row["locked"]:
                break
            if time.monotonic() > deadline:
                raise FleetError("another migration holds the lock for over a minute: wait for it, then try again")
            time.sleep(0.2)
        try:
            yield connection
        except (psycopg.Error, DBAPIError) as error:
            raise _plainly((isinstance(error, DBAPIError) and error.orig) or error, connection) from None


def _plainly(cause: BaseException, connection: Connection) -> FleetError:
    """Say what failed, where that leaves the database, and what to do."""
    words = first_line(cause)
    if connection.closed or connection.broken:
        return DatabaseUnavailableError(f"the database says: {words}")
    current = _current_revision(connection)
    stands = f"the database stands at {current}" if current else "the database is as it was"
    if isinstance(cause, (LockNotAvailable, DeadlockDetected, ObjectInUse)):
        return FleetError(
            f"a table stayed locked, nothing of this step was applied, {stands}: "
            f"try again when the long transaction is over, it goes on from there ({words})"
        )
    return FleetError(
        f"the database says: {words}; nothing of this step was applied, {stands}: mend it and try again, "
        "it goes on from there; or take all of it back with `fleet db rollback`"
    )


def _prepare(connection: psycopg.Connection[Any]) -> None:
    """Give up on a lock soon, and on nothing else: a host's limits are for its users, not for building an index."""
    connection.execute("SET statement_timeout = 0")
    connection.execute("SET lock_timeout = '5s'")
    # Who may, has an autovacuum make room at once, and gives way where the CRM and the migration wait for each other.
    connection.execute(
        "SELECT set_config('deadlock_timeout', '200ms', false) WHERE has_parameter_privilege('deadlock_timeout', 'SET')"
    )
    connection.execute("SET search_path = public")
    connection.execute("SET quote_all_identifiers = off")  # the catalogue is compared as text
    connection.execute("SET client_min_messages = warning")
    connection.execute("SELECT set_config(name, '0', false) FROM pg_settings WHERE name = ANY (%s)", [_NO_LIMIT])


@contextmanager
def _alembic(url: str, applied_now: list[str]) -> Iterator[Config]:
    """Give Alembic a connection of its own beside the one that holds the lock, with the same lock_timeout."""
    history = table(HISTORY_TABLE, column("name"), column("checksum"))

    def note(*, ctx: Any, step: Any, **_: Any) -> None:  # Alembic's own untyped objects
        if step.is_upgrade:
            name = step.up_revision_id
            applied_now.append(name)
            checksum = _checksum(_migrations() / f"{name}.sql")
            ctx.connection.execute(insert(history).values(name=name, checksum=checksum))

    config = Config()
    config.set_main_option("script_location", str(_migrations()))
    config.attributes["on_version_apply"] = note
    engine = create_engine("postgresql+psycopg://", creator=lambda: _plain_connection(url), poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        yield config


def _plain_connection(url: str) -> psycopg.Connection[Any]:
    connection = psycopg.connect(url, prepare_threshold=None, autocommit=True)
    _prepare(connection)
    connection.autocommit = False
    return connection


def _apply_functions(connection: Connection, name: str, path: Path, *, force: bool) -> bool:
    checksum = _checksum(path)
    if not force and _applied_checksums(connection).get(name) == checksum:
        return False
    with connection.transaction():
        run_patiently(connection, path.read_text())
        work_in_zone(connection, _functions_of([path]))
        statement = sql.SQL("INSERT INTO {} (name, checksum) VALUES (%s, %s)")
        connection.execute(statement.format(sql.Identifier(HISTORY_TABLE)), [name, checksum])
    return True


def _lay_ground(connection: Connection) -> None:
    """Make what must stand before the first revision: the history, and how the CRM's moments are read."""
    keep_zone(connection)
    connection.execute((shipped("schema") / "history.sql").read_bytes())


def _clear_ground(connection: Connection) -> None:
    forget_zone(connection)
    connection.execute((shipped("schema") / "history.rollback.sql").read_bytes())


def _applied_checksums(connection: Connection) -> dict[str, str]:
    if not _exists(connection, HISTORY_TABLE):
        return {}
    statement = sql.SQL("SELECT DISTINCT ON (name) name, checksum FROM {} ORDER BY name, id DESC")
    rows = connection.execute(statement.format(sql.Identifier(HISTORY_TABLE)))
    return {row["name"]: row["checksum"] for row in rows}


def _current_revision(connection: Connection) -> str | None:
    if not _exists(connection, VERSION_TABLE):
        return None
    row = connection.execute(sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(VERSION_TABLE))).fetchone()
    return row["version_num"] if row else None


def _known_revision(connection: Connection) -> str | None:
    current = _current_revision(connection)
    if current is not None and current not in KNOWN:
        raise SchemaMismatchError(
            f"the database is migrated to {current}, which this code does not know: install the matching release"
        )
    return current


def _exists(connection: Connection, table: str) -> bool:
    return connection.execute("SELECT WHERE to_regclass(%s) IS NOT NULL", [f"public.{table}"]).fetchone() is not None


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _migrations() -> Path:
    return shipped("schema") / "migrations"
