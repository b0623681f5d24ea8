"""`fleet up`: the whole fleet on one machine, from servers to Flower, until Ctrl-C."""

import fcntl
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final, TextIO

import psutil
import redis
from celery import Celery
from kombu.exceptions import KombuError

from workers.db.embedded import EmbeddedServers
from workers.db.migrate import migrate
from workers.db.session import connect
from workers.errors import FleetError, first_line
from workers.load.demo import is_empty, load_demo
from workers.logs import tell
from workers.runtime.console_links import new_link, operator_name, web_address
from workers.settings import database_url, direct_database_url, redis_url, settings, usable_home
from workers.supervise import supervise
from workers.urls import masked

_STOP_SECONDS: Final = 10
_BROKER_SECONDS: Final = 5


def start(*, demo: bool) -> int:
    """Run the fleet until it is stopped, and return the exit code.

    Args:
        demo: load demo tenants if the database is empty.

    Raises:
        FleetError: another fleet runs under the same FLEET_HOME, or a part could not start.
    """
    chosen, home = settings(), usable_home()
    # Until the supervisor takes over, being told to stop unwinds what has been started so far.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    with (
        _only_one(home),
        EmbeddedServers(home, postgres=chosen.database_url is None, valkey=chosen.redis_url is None) as servers,
    ):
        _require_broker(redis_url())
        tell(f"database: {masked(database_url())}")
        done = migrate(direct_database_url())
        tell(f"schema: {'migrated' if done.revisions or done.functions else 'current'} in {done.seconds:.1f} s")
        with connect(database_url()) as connection:
            demo = demo and is_empty(connection)
            if demo:
                tell(f"demo: {load_demo(connection)}")
        flower = _free_port("FLEET_FLOWER_PORT", chosen.fleet_flower_port)
        # Where customers come in by a public address, what stands before it looks for the pages on this very port.
        fixed = chosen.fleet_public_url is not None
        pages = chosen.fleet_web_port if fixed else _free_port("FLEET_WEB_PORT", chosen.fleet_web_port)
        maildir = f"{chosen.fleet_home / 'mail'} (no SMTP_URL: .eml files)"
        with connect(database_url()) as connection:
            link = new_link(connection, web_address(chosen.fleet_web_host, pages), operator=operator_name())
        places = [
            f"console:  {link}",
            "          (opens once, within 15 minutes; `fleet console` prints another)",
            f"messages: {masked(chosen.smtp_url) if chosen.smtp_url else maildir}",
            f"flower:   http://127.0.0.1:{flower}",
            f"pages:    {chosen.fleet_public_url or f'http://127.0.0.1:{pages}'}",
        ]
        ports = {"FLEET_FLOWER_PORT": flower, "FLEET_WEB_PORT": pages}
        return supervise(servers, ports, places, demo=demo)


def _stop(number: int, _: FrameType | None) -> None:
    for other in (signal.SIGTERM, signal.SIGHUP):  # a second one must not cut the tidying short
        signal.signal(other, lambda *_: None)
    raise SystemExit(128 + number)


def _require_broker(url: str) -> None:
    """Ask the broker for a sign of life, in Celery's own reading of the URL.

    Raises:
        FleetError: there is none.
    """
    client = Celery(broker=url, set_as_current=False)
    client.conf.broker_transport_options = {
        "socket_connect_timeout": _BROKER_SECONDS,
        "socket_timeout": _BROKER_SECONDS,
    }
    try:
        with client.connection_for_write() as broker:
            broker.connect()
    except (redis.RedisError, KombuError, OSError, ValueError, KeyError) as error:
        raise FleetError(
            f"cannot reach the broker {masked(url)}: {first_line(error)} (is it running? is REDIS_URL right?)"
        ) from None


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Hold FLEET_HOME for this process; the lock goes with it, however it ends.

    The supervisor's children inherit the lock, so after a kill -9 it tells of what was left running: that is
    stopped first.
    """
    try:
        lock = (home / "fleet.lock").open("a+")
    except OSError as error:
        raise FleetError(f"FLEET_HOME: {error.filename} cannot be opened: {error.strerror}") from None
    with lock as file:
        file.seek(0)
        owner = file.read().strip()
        if not _locked(file):
            if owner.isdigit() and psutil.pid_exists(int(owner)):
                raise FleetError(
                    f"a fleet already runs under {home} (process {owner}): "
                    "stop it with Ctrl-C, or set FLEET_HOME to another folder"
                )
            tell(f"a killed fleet left {_stop_leftovers(home / 'fleet.lock')} processes behind: stopped them")
            if not _locked(file):
                raise FleetError(f"{home / 'fleet.lock'} is held by a process that cannot be stopped")
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _locked(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stop_leftovers(lock: Path) -> int:
    """Stop whatever still has the lock file open, with all its children; returns how many processes."""
    holders: set[psutil.Process] = set()
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and str(lock.resolve()) in {file.path for file in process.open_files()}:
                holders |= {process, *process.children(recursive=True)}
        except psutil.Error:  # gone meanwhile, or another user's
            continue
    for process in holders:
        with suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(holders, timeout=_STOP_SECONDS)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    return len(holders)


def _free_port(setting: str, wanted: int) -> int:
    """Return the wanted port, or a free one where another program already listens."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            free: int = probe.getsockname()[1]
            return free
    raise FleetError(f"no free port: set {setting} (now {wanted})")
