"""What befalls the database."""

import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from tests.chaos.faults.moments import frozen, moment
from tests.chaos.world import World
from tests.crm import wait_until

_FULL_DISK = Path(__file__).with_name("full_disk.sql").read_bytes()


def _postmaster(world: World) -> psutil.Process:
    with closing(psycopg.connect(world.database_url)) as connection:
        postmaster = psutil.Process(connection.info.backend_pid).parent()
    assert postmaster is not None
    return postmaster


@contextmanager
def cut_database_connections(world: World, chance: random.Random) -> Iterator[None]:
    moment(chance)
    with closing(psycopg.connect(world.database_url, autocommit=True)) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
    yield


@contextmanager
def crash_the_database(world: World, chance: random.Random) -> Iterator[None]:
    """A backend dies of SIGKILL: PostgreSQL throws out everybody and recovers from its journal."""
    moment(chance)
    with closing(psycopg.connect(world.database_url, autocommit=True)) as admin:
        pids = [
            pid
            for (pid,) in admin.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
        ]
        pid = chance.choice(pids) if pids else admin.info.backend_pid
    with suppress(psutil.Error):
        psutil.Process(pid).kill()
    wait_until(world.database_answers, "the database")
    yield


@contextmanager
def restart_the_database(world: World, chance: random.Random) -> Iterator[None]:
    """As its host does: it throws out everybody first."""
    moment(chance)
    world.restart(world.postgres)
    yield


@contextmanager
def restart_the_database_at_once(world: World, chance: random.Random) -> Iterator[None]:
    """An immediate shutdown, after which it recovers from its journal."""
    postmaster = _postmaster(world)
    moment(chance)
    postmaster.send_signal(signal.SIGQUIT)
    world.restart(world.postgres)
    yield


@contextmanager
def freeze_the_database(world: World, chance: random.Random) -> Iterator[None]:
    postmaster = _postmaster(world)
    moment(chance)
    with frozen(postmaster, *postmaster.children()):
        moment(chance, 2)
        yield


@contextmanager
def read_only_database(world: World, chance: random.Random) -> Iterator[None]:
    moment(chance)
    with closing(psycopg.connect(world.database_url, autocommit=True)) as admin:
        admin.execute("SET default_transaction_read_only = off")
        admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        admin.execute("SELECT pg_reload_conf()")
        try:
            moment(chance, 2)
            yield
        finally:
            admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
            admin.execute("SELECT pg_reload_conf()")


@contextmanager
def lock_a_hot_table(world: World, chance: random.Random) -> Iterator[None]:
    table = chance.choice(["scheduled_actions", "deals", "quotes", "contacts", "engine_runs"])
    with closing(psycopg.connect(world.database_url)) as holder:
        moment(chance)
        holder.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        moment(chance, 2)
        yield


@contextmanager
def host_statement_timeout(world: World, chance: random.Random) -> Iterator[None]:
    """The host lets no statement take longer than a moment."""
    with closing(psycopg.connect(world.database_url, autocommit=True)) as admin:
        admin.execute(f"ALTER ROLE postgres SET statement_timeout = '{chance.randint(5, 60)}ms'")
        try:
            moment(chance, 2)
            yield
        finally:
            admin.execute("SET statement_timeout = 0")
            admin.execute("ALTER ROLE postgres RESET statement_timeout")


@contextmanager
def exhausted_connections(world: World, chance: random.Random) -> Iterator[None]:
    with ExitStack() as taken:
        with suppress(psycopg.OperationalError):
            for _ in range(200):
                taken.enter_context(closing(psycopg.connect(world.database_url)))
        moment(chance, 2)
        yield


@contextmanager
def full_disk(world: World, chance: random.Random) -> Iterator[None]:
    """Statements that need another page of a table are refused, as chance wants it."""
    with closing(psycopg.connect(world.database_url, autocommit=True)) as admin:
        admin.execute(_FULL_DISK)
        tables = admin.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        moment(chance)
        for (table,) in tables:
            admin.execute(
                sql.SQL(
                    "CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {} EXECUTE FUNCTION refuse_to_grow()"
                ).format(sql.Identifier(table))
            )
        try:
            moment(chance, 2)
            yield
        finally:
            for (table,) in tables:
                admin.execute(sql.SQL("DROP TRIGGER full_disk ON {}").format(sql.Identifier(table)))
            admin.execute("DROP FUNCTION refuse_to_grow()")


@contextmanager
def full_disk_of_the_journal(world: World, chance: random.Random) -> Iterator[None]:
    """PostgreSQL cannot write its journal any more, and ends; it comes back when somebody has made room.

    Its processes are forbidden to write to any file, which it takes as it takes a full disk.
    """
    postmaster = _postmaster(world)
    with closing(psycopg.connect(world.database_url, autocommit=True)) as admin:
        moment(chance)
        user, group = postmaster.uids().real, postmaster.gids().real  # nobody else may, not even each root
        for process in (postmaster, *postmaster.children()):
            # A child may have ended meanwhile.
            subprocess.run(["prlimit", f"--pid={process.pid}", "--fsize=0:"], user=user, group=group, check=False)
        with suppress(psycopg.Error):
            admin.execute("SELECT pg_logical_emit_message(true, '', '')")
    postmaster.wait(60)
    moment(chance, 2)
    yield
    world.restart(world.postgres)
