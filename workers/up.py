"""`fleet up`: the whole fleet on one machine, from servers to Flower, until Ctrl-C."""

import fcntl
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final, TextIO

import psutil
import redis
from celery import Celery
from celery.exceptions import TimeoutError as CeleryTimeoutError
from honcho.environ import parse_procfile
from honcho.manager import Manager
from kombu.exceptions import KombuError
from rich.console import Console

from workers.db.embedded import EmbeddedServers
from workers.db.migrate import migrate
from workers.db.session import connect, transaction
from workers.engines.registry import all_engines
from workers.errors import FleetError
from workers.load.demo import is_empty, load_demo
from workers.resources import shipped
from workers.settings import Settings, database_url, direct_database_url, redis_url, settings, usable_home
from workers.tables import report_table
from workers.urls import masked

_FIRST_ROUND_SECONDS: Final = 120
# The supervisor forks its processes at once; the first round's thread must not hold a lock while it does.
_SETTLE_SECONDS: Final = 1.5
_STOP_SECONDS: Final = 10
_BROKER_SECONDS: Final = 5
_WATCH_SECONDS: Final = 2


def start(*, demo: bool, out: Console) -> int:
    """Run the fleet until it is stopped, and return the exit code.

    Args:
        demo: load demo tenants if the database is empty.
        out: where the user reads.

    Raises:
        FleetError: another fleet runs under the same FLEET_HOME, or a part could not start.
    """
    chosen, home = settings(), usable_home()
    # Until the supervisor takes over, being told to stop unwinds what has been started so far.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    with (
        _only_one(home, out),
        EmbeddedServers(home, postgres=chosen.database_url is None, valkey=chosen.redis_url is None) as servers,
    ):
        _require_broker(redis_url())
        out.print(f"database: {masked(database_url())}", highlight=False)
        done = migrate(direct_database_url())
        out.print(f"schema: {'migrated' if done.revisions or done.functions else 'current'} in {done.seconds:.1f} s")
        with connect(database_url()) as connection:
            if demo and is_empty(connection):
                out.print(f"demo: {load_demo(connection)}", highlight=False)
        port = _flower_port(chosen.fleet_flower_port)
        return _supervise(chosen, servers, port, out)


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
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FleetError(
            f"cannot reach the broker {masked(url)}: {reason} (is it running? is REDIS_URL right?)"
        ) from None


def _supervise(chosen: Settings, servers: EmbeddedServers, flower_port: int, out: Console) -> int:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "FLEET_FLOWER_PORT": str(flower_port),
        "PYTHONUNBUFFERED": "1",
    }
    manager = Manager()
    for name, command in parse_procfile(shipped("Procfile").read_text()).processes.items():
        manager.add_process(name, command, env=environment)
    # Closing the terminal ends the fleet as Ctrl-C does.
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    first_round = threading.Timer(_SETTLE_SECONDS, _show_first_round, [chosen, flower_port, out])
    first_round.daemon = True
    first_round.start()
    death = _Watch(servers)
    death.start()
    manager.loop()
    if death.words:
        raise FleetError(death.words)
    if manager.returncode in (130, 143):  # stopped on purpose
        out.print("fleet: stopped; the data stays, `make run` goes on with it", highlight=False)
        return 0
    raise FleetError("a process of the fleet ended by itself: its last lines above say why")


class _Watch(threading.Thread):
    """Ends the fleet when an embedded server dies under it, and keeps the words for it."""

    def __init__(self, servers: EmbeddedServers) -> None:
        super().__init__(daemon=True)
        self.words: str | None = None
        self._servers = servers

    def run(self) -> None:
        while self.words is None:
            time.sleep(_WATCH_SECONDS)
            self.words = self._servers.died()
        os.kill(os.getpid(), signal.SIGTERM)


def _show_first_round(chosen: Settings, flower_port: int, out: Console) -> None:
    """Run each engine once and show what came of it; the fleet runs on if this fails."""
    try:
        _first_round_shown(chosen, flower_port, out)
    except CeleryTimeoutError:
        out.print("fleet: the workers do not answer yet; `fleet status` tells when they have run", style="yellow")
    except Exception as error:  # noqa: BLE001  # a task's own error arrives here as whatever class it had
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        out.print(f"fleet: the first round was not seen to its end: {reason}", style="yellow", markup=False)


def _first_round_shown(chosen: Settings, flower_port: int, out: Console) -> None:
    """Run each engine once through the broker, so that there is something to see at once."""
    from workers.app import app  # noqa: PLC0415  # it asks for the broker, which must have started

    reports = _first_round(app)
    app.send_task("workers.delivery.run").get(timeout=_FIRST_ROUND_SECONDS)
    out.print()
    out.print(report_table(reports))
    place = masked(chosen.smtp_url) if chosen.smtp_url else f"{chosen.fleet_home / 'mail'} (no SMTP_URL: .eml files)"
    with connect(database_url()) as connection, transaction(connection):
        counts = {row["status"]: row["n"] for row in connection.execute("SELECT * FROM fleet_action_counts()")}
    out.print(f"outbox:   {_counted(counts) or 'empty'}", highlight=False)
    if counts.get("scheduled"):
        out.print("          scheduled ones wait for their time, a sending window, or a paused tenant", highlight=False)
    out.print(f"messages: {place}", highlight=False)
    out.print(f"flower:   http://127.0.0.1:{flower_port}", highlight=False)
    out.print("The fleet is up on its timetable. In another terminal: fleet status. Ctrl-C stops it.\n")


def _first_round(app: Celery) -> list[dict[str, Any]]:
    sent = [app.send_task(f"workers.{name}.run") for name in all_engines()]
    return [result.get(timeout=_FIRST_ROUND_SECONDS) for result in sent]


def _counted(numbers: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(numbers.items()))


@contextmanager
def _only_one(home: Path, out: Console) -> Iterator[None]:
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
            out.print(f"a killed fleet left {_stop_leftovers(home / 'fleet.lock')} processes behind: stopped them")
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
    holders = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and str(lock.resolve()) in {file.path for file in process.open_files()}:
                holders += [process, *process.children(recursive=True)]
        except psutil.Error:  # gone meanwhile, or another user's
            continue
    for process in holders:
        process.terminate()
    _, alive = psutil.wait_procs(holders, timeout=_STOP_SECONDS)
    for process in alive:
        process.kill()
    return len(holders)


def _flower_port(wanted: int) -> int:
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
    raise FleetError(f"no free port for Flower: set FLEET_FLOWER_PORT (now {wanted})")
