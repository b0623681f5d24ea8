"""Migrations: Alembic for state, plain files for functions; every step can be repeated."""

import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
from alembic import command, op
from alembic.config import Config
from psycopg import sql
from psycopg.errors import DuplicateTable, LockNotAvailable, ObjectInUse
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from workers.db.check import missing
from workers.db.revisions import KNOWN, VERSION_TABLE
from workers.db.session import Connection, connect
from workers.errors import DatabaseUnavailableError, FleetError, SchemaMismatchError
from workers.resources import engine_sql, shipped

# Around the engines' files, in the order in which they build on each other; adopt looks at rows and runs every time.
_BEFORE_ENGINES: Final = ("core", "calendar", "isolation", "words", "engines", "ledger", "quotas", "outbox")
_AFTER_ENGINES: Final = ("status", "inbound", "answers", "failures", "analytics", "policies")
_LOCK_KEY: Final = 7_012_026  # any constant of our own: one migration at a time in a database
_LOCK_WAIT_SECONDS: Final = 60


@dataclass(slots=True)
class Migration:
    """What a migration did: the revisions and the function files that were new, and how long it took."""

    revisions: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    seconds: float = 0.0


def function_files() -> dict[str, Path]:
    """Return every file that defines functions, triggers, views or policies, by its name in the history, in order."""
    core = {name: shipped("schema") / "functions" / f"{name}.sql" for name in (*_BEFORE_ENGINES, *_AFTER_ENGINES)}
    files = {f"functions/{name}": core[name] for name in _BEFORE_ENGINES}
    for engine, paths in engine_sql().items():
        for path in paths:
            files[f"engines/{engine}" if path.stem == engine else f"engines/{engine}/{path.stem}"] = path
    return files | {f"functions/{name}": core[name] for name in _AFTER_ENGINES}


def run_migration_sql(name: str, *, transactional: bool = True) -> None:
    """Run a file of schema/migrations inside the revision that Alembic is applying.

    Args:
        name: the file's name.
        transactional: False sends each statement on its own, as CREATE INDEX CONCURRENTLY demands.
    """
    text = _migrations().joinpath(name).read_text()
    if transactional:
        op.get_bind().connection.driver_connection.execute(text)  # type: ignore[union-attr]
        return
    with op.get_context().autocommit_block():
        driver = op.get_bind().connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101  # for the type checker
        _run_one_by_one(driver, text)


def _run_one_by_one(driver: psycopg.Connection[Any], text: str) -> None:
    _drop_invalid_indexes(driver, text)
    for statement in re.split(r";\s*\n", text):
        if statement.strip():
            driver.execute(statement.encode())


def _drop_invalid_indexes(driver: psycopg.Connection[Any], text: str) -> None:
    """Drop what an interrupted CONCURRENTLY left: IF NOT EXISTS would take the ruin for the index."""
    names = re.findall(r"IF NOT EXISTS (\w+)", text)
    invalid = driver.execute(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "WHERE NOT i.indisvalid AND c.relname = ANY (%s)",
        [names],
    ).fetchall()
    for (name,) in invalid:
        driver.execute(f'DROP INDEX CONCURRENTLY "{name}"')


def migrate(url: str) -> Migration:
    """Bring a database to this code's schema, and repair functions, triggers, views, policies and indexes.

    Changes nothing where nothing is missing. A table or column that was dropped is not made up again: `check`
    names it, and a backup has its rows.

    Args:
        url: a direct connection, not one through a transaction pooler.

    Raises:
        SchemaMismatchError: the database is ahead of this code.
        FleetError: a lock could not be had in time; nothing of the failed step remains.
    """
    done = Migration()
    started = time.monotonic()
    with _exclusively(url) as connection:
        current = _current_revision(connection)
        if current is not None and current not in KNOWN:
            raise SchemaMismatchError(
                f"the database is migrated to {current}, which this code does not know: install the matching release"
            )
        _ensure_history(connection)
        with _alembic(url, done.revisions) as config:
            command.upgrade(config, "head")
        damaged = not done.revisions and bool(missing(connection))
        if damaged:
            for path in sorted(_migrations().glob("*.sql")):
                if "CONCURRENTLY" in path.read_text() and "rollback" not in path.name:
                    _run_one_by_one(connection, path.read_text())
        for name, path in function_files().items():
            # Policies name every table, so a new revision brings them up to date too.
            stale = damaged or (name == "functions/policies" and bool(done.revisions))
            if _apply_functions(connection, name, path, force=stale):
                done.functions.append(name)
        with connection.transaction():
            connection.execute((shipped("schema") / "functions" / "adopt.sql").read_bytes())
    done.seconds = time.monotonic() - started
    return done


def pending(connection: Connection) -> list[str]:
    """Return the revisions and function files that `migrate` would apply, in order."""
    current = _current_revision(connection)
    missing = list(KNOWN[KNOWN.index(current) + 1 :]) if current in KNOWN else list(KNOWN)
    known = _applied_checksums(connection) if current else {}
    missing += [name for name, path in function_files().items() if known.get(name) != _checksum(path)]
    return missing


def applied(connection: Connection) -> list[str]:
    """Return the revisions that are applied, in order."""
    current = _current_revision(connection)
    return list(KNOWN[: KNOWN.index(current) + 1]) if current in KNOWN else []


def rollback(url: str) -> None:
    """Remove all of P1 and the fleet's own tables; the CRM's tables and rows stay as they were.

    Raises:
        SchemaMismatchError: there is nothing to remove, or the database is ahead of this code.
        FleetError: a lock could not be had in time; a second call goes on where this one stopped.
    """
    with _exclusively(url) as connection:
        current = _current_revision(connection)
        if current not in KNOWN:
            raise SchemaMismatchError(
                "nothing to roll back: the database is not migrated"
                if current is None
                else f"the database is migrated to {current}, which this code does not know"
            )
        with connection.transaction():
            _drop_functions(connection)
        with _alembic(url, []) as config:
            command.downgrade(config, "base")
        connection.execute(f"DROP TABLE {VERSION_TABLE}, migration_history")
        # The policies of CRM tables that were created here still ask for the caller's tenant.
        row = connection.execute("SELECT FROM pg_policies WHERE policyname = 'fleet_own_tenant'").fetchone()
        if row is None:
            connection.execute("DROP FUNCTION current_tenant_id()")


def _drop_functions(connection: Connection) -> None:
    """Drop the triggers, views and functions that the function files define, last defined first."""
    text = "".join(path.read_text() for path in function_files().values())
    for trigger, table in re.findall(r"^CREATE OR REPLACE TRIGGER (\w+)\s[^;]*?\bON (\w+)\s", text, re.MULTILINE):
        connection.execute(f"DROP TRIGGER IF EXISTS {trigger} ON {table}")
    for view in re.findall(r"^CREATE OR REPLACE VIEW (\w+)", text, re.MULTILINE):
        connection.execute(f"DROP VIEW IF EXISTS {view}")
    for function in reversed(re.findall(r"^CREATE OR REPLACE FUNCTION (\w+)", text, re.MULTILINE)):
        if function != "current_tenant_id":
            connection.execute(f"DROP FUNCTION IF EXISTS {function}")


@contextmanager
def _exclusively(url: str) -> Iterator[Connection]:
    """Hold the migration lock.

    It is polled: a session that waited inside the server would hold a snapshot, CREATE INDEX CONCURRENTLY
    waits for every snapshot, and the two would wait for each other.
    """
    with connect(url) as connection:
        deadline = time.monotonic() + _LOCK_WAIT_SECONDS
        while True:
            row = connection.execute("SELECT pg_try_advisory_lock(%s) AS locked", [_LOCK_KEY]).fetchone()
            if row is not None and row["locked"]:
                break
            if time.monotonic() > deadline:
                raise FleetError("another migration holds the lock for over a minute: wait for it, then try again")
            time.sleep(0.2)
        connection.execute("SET lock_timeout = '5s'")
        connection.execute("SET search_path = public")
        connection.execute("SET client_min_messages = warning")
        try:
            yield connection
        except DuplicateTable as error:
            name = str(error).split('"')[1]
            raise FleetError(
                f"the database already has a table {name} that is not the fleet's: rename it, then migrate again"
            ) from None
        except (psycopg.OperationalError, OperationalError) as error:
            cause = error.orig if isinstance(error, OperationalError) else error
            words = str(cause).strip().splitlines()[0]
            if isinstance(cause, (LockNotAvailable, ObjectInUse)):
                raise FleetError(
                    "a table stayed locked for five seconds, nothing of this step was applied: "
                    f"try again when the long transaction is over ({words})"
                ) from None
            raise DatabaseUnavailableError(f"the database says: {words}") from None


@contextmanager
def _alembic(url: str, applied_now: list[str]) -> Iterator[Config]:
    """Give Alembic a connection of its own beside the one that holds the lock, with the same lock_timeout."""

    def note(*, ctx: Any, step: Any, **_: Any) -> None:  # Alembic's own untyped objects
        if step.is_upgrade:
            name = step.up_revision_id
            applied_now.append(name)
            ctx.connection.exec_driver_sql(
                "INSERT INTO migration_history (name, checksum) VALUES (%s, %s)",
                (name, _checksum(_migrations() / f"{name}.sql")),
            )

    config = Config()
    config.set_main_option("script_location", str(_migrations()))
    config.attributes["on_version_apply"] = note
    engine = create_engine("postgresql+psycopg://", creator=lambda: _plain_connection(url), poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        yield config


def _plain_connection(url: str) -> psycopg.Connection[Any]:
    options = "-c lock_timeout=5s -c search_path=public -c client_min_messages=warning"
    return psycopg.connect(url, prepare_threshold=None, options=options)


def _apply_functions(connection: Connection, name: str, path: Path, *, force: bool) -> bool:
    checksum = _checksum(path)
    if not force and _applied_checksums(connection).get(name) == checksum:
        return False
    with connection.transaction():
        connection.execute(path.read_bytes())
        connection.execute("INSERT INTO migration_history (name, checksum) VALUES (%s, %s)", [name, checksum])
    return True


def _ensure_history(connection: Connection) -> None:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migration_history ("
        " id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL,"
        " checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    connection.execute("ALTER TABLE migration_history ENABLE ROW LEVEL SECURITY")


def _applied_checksums(connection: Connection) -> dict[str, str]:
    rows = connection.execute("SELECT DISTINCT ON (name) name, checksum FROM migration_history ORDER BY name, id DESC")
    return {row["name"]: row["checksum"] for row in rows}


def _current_revision(connection: Connection) -> str | None:
    row = connection.execute("SELECT to_regclass(%s) AS present", [VERSION_TABLE]).fetchone()
    if row is None or row["present"] is None:
        return None
    row = connection.execute(sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(VERSION_TABLE))).fetchone()
    return row["version_num"] if row else None


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _migrations() -> Path:
    return shipped("schema") / "migrations"
