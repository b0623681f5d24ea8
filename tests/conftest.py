"""One embedded PostgreSQL and Valkey for the whole suite; a fresh database, from a migrated template, per test."""

import fcntl
import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import psycopg
import pytest
from psycopg import sql

from tests.crm import Crm
from tests.imap import ImapServer, running_dovecot
from workers.db.embedded import EmbeddedServers
from workers.db.migrate import migrate
from workers.db.session import Connection, connect
from workers.settings import settings

# Nothing the developer's shell points to may be touched by a test.
OURS = ("FLEET_", "DATABASE_URL", "DIRECT_DATABASE_URL", "SMTP_OAUTH_", "IMAP_OAUTH_")
for variable in [name for name in os.environ if name.startswith(OURS)]:
    if variable not in ("FLEET_CRM_SALES_DIR", "FLEET_JUDGEMENT_DIR", "FLEET_BOUNCES_DIR"):
        del os.environ[variable]
for variable in (
    "REDIS_URL", "SMTP_URL", "IMAP_URL", "APOLLO_API_KEY", "APOLLO_URL", "WEB_SEARCH_URL", "WEB_SEARCH_KEY",
    "CRON_SECRET", "COLUMNS",
):  # fmt: skip
    os.environ.pop(variable, None)

# `make fuzz` takes the long profile. No deadlines: the machine that tests has other things to do.
hypothesis.settings.register_profile("short", max_examples=150, deadline=None)
hypothesis.settings.register_profile("long", max_examples=10_000, deadline=None)
hypothesis.settings.load_profile("short")

TEMPLATE = "fleet_template"
PREFIX = "fleet-suite-"
ROOM = 4 * 2**30  # bytes: twice what the whole suite has ever taken
_servers = pytest.StashKey[tuple[EmbeddedServers, Path]]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers once, in the process that the workers of a parallel run are children of."""
    config.addinivalue_line("markers", "crm_sales: reads the public CRM data set")
    config.addinivalue_line("markers", "fuzz: tries hostile input or orders of events, far more of them in `make fuzz`")
    if hasattr(config, "workerinput"):
        return
    home = _home()
    servers = EmbeddedServers(home).__enter__()
    config.stash[_servers] = servers, home
    with closing(psycopg.connect(servers.urls["DATABASE_URL"], autocommit=True)) as admin:
        # The data is thrown away: durability would only cost time. Crash tests kill clients, not the server.
        admin.execute(sql.SQL("ALTER SYSTEM SET max_wal_size = '256MB'"))
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            admin.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        admin.execute("SELECT pg_reload_conf()")
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    migrate(_url_of(servers.urls["DATABASE_URL"], TEMPLATE))


def pytest_collection_finish() -> None:
    """Keep the garbage collector from looking, again and again, through thousands of tests that live to the end."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell a parallel worker where the servers are."""
    servers, _ = node.config.stash[_servers]  # type: ignore[attr-defined]
    node.workerinput["fleet_servers"] = servers.urls  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers and forget their data."""
    if _servers in config.stash:
        servers, home = config.stash[_servers]
        servers.__exit__(None, None, None)
        shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True)
class Servers:
    """Where the suite's own servers are."""

    postgres: str
    valkey: str


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Servers:
    workerinput = getattr(request.config, "workerinput", None)
    urls = workerinput["fleet_servers"] if workerinput else request.config.stash[_servers][0].urls
    return Servers(urls["DATABASE_URL"], urls["REDIS_URL"])


@pytest.fixture
def empty_database(servers: Servers) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    yield from _database(servers, "template1")


@pytest.fixture
def database_url(servers: Servers) -> Iterator[str]:
    """The URL of a fresh, migrated database."""
    yield from _database(servers, TEMPLATE)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    """A superuser's connection to the fresh database, in autocommit."""
    with connect(database_url) as connection:
        yield connection


@pytest.fixture
def crm(connection: Connection) -> Crm:
    """A CRM to put rows into."""
    return Crm(connection)


@pytest.fixture(scope="session")
def imap_server() -> Iterator[ImapServer]:
    """A real IMAP server, started by the first test that asks for it."""
    with running_dovecot() as server:
        yield server


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A FLEET_HOME of the test's own, and no settings left over from the test before."""
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "fleet"))
    settings.cache_clear()
    yield
    settings.cache_clear()


def _database(servers: Servers, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex}"
    with closing(psycopg.connect(servers.postgres, autocommit=True)) as admin:
        # Without durability, copying the files is cheaper than writing each page to the log.
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        yield _url_of(servers.postgres, name)
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _home() -> Path:
    """Make a folder for the servers: in memory where there is room, a database costs a fifth there.

    What a killed suite left in memory is forgotten first: nobody holds its lock any more.
    """
    memory = Path("/dev/shm")  # noqa: S108  # a folder of our own is made in it
    for leftover in memory.glob(f"{PREFIX}*"):
        with suppress(OSError):  # in use, or another user's
            os.close(_locked(leftover))
            shutil.rmtree(leftover)
    roomy = memory.is_dir() and shutil.disk_usage(memory).free >= ROOM
    home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=memory if roomy else None))
    _locked(home)  # until this process ends
    return home


def _locked(folder: Path) -> int:
    """Lock a folder for this process and return its descriptor; raises BlockingIOError if another one holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _url_of(url: str, database: str) -> str:
    return url.replace("/postgres?", f"/{database}?")
