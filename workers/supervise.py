"""The processes of the Procfile under one roof: started, heard, and stopped together."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
from honcho.compat import ProcessManager
from honcho.environ import parse_procfile
from honcho.manager import SYSTEM_PRINTER_NAME, Manager
from honcho.printer import Message

from workers import logs
from workers.db.embedded import EmbeddedServers
from workers.errors import FleetError
from workers.resources import shipped
from workers.terminal import visible

_WATCH_SECONDS: Final = 2


def supervise(servers: EmbeddedServers, flower_port: int, places: Sequence[str], *, demo: bool) -> int:
    """Run the processes until the fleet is stopped, and return the exit code.

    Args:
        servers: the embedded ones; the fleet ends when one of them dies.
        flower_port: a free one.
        places: lines that say where to look, for the end of the first round.
        demo: the data is the demo's, just loaded: a first round may run at once.

    Raises:
        FleetError: a process or an embedded server ended by itself.
    """
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "FLEET_FLOWER_PORT": str(flower_port),
        "PYTHONUNBUFFERED": "1",
    }
    manager = _Supervisor(Printer(as_json=logs.as_json()))
    for name, command in parse_procfile(shipped("Procfile").read_text()).processes.items():
        manager.add_process(name, command, env=environment)
    # Closing the terminal ends the fleet as Ctrl-C does.
    signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    death = _Watch(servers)
    death.start()
    with _first_round(places, environment, demo=demo):
        manager.loop()
    if death.words:
        raise FleetError(death.words)
    if manager.returncode in (130, 143):  # stopped on purpose
        logs.tell("fleet: stopped; the data stays, `make run` goes on with it")
        return 0
    raise FleetError("a process of the fleet ended by itself: its last lines above say why")


@contextmanager
def _first_round(places: Sequence[str], environment: Mapping[str, str], *, demo: bool) -> Iterator[None]:
    """Let it run in a process of its own: a wait for what the workers answer cannot be ended otherwise."""
    command = [sys.executable, "-m", "workers.first_round", "demo" if demo else "wait", *places]
    with subprocess.Popen(command, env=environment, start_new_session=True) as process:  # noqa: S603  # our own
        try:
            yield
        finally:
            process.kill()


class Printer:
    """Prints what the processes say, each line under its process's name; lines that are JSON as they come."""

    width = 0  # of the longest name; the supervisor sets it

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def write(self, message: Message) -> None:
        """Print the lines of a message, and nothing for empty ones."""
        text = message.data.decode(errors="replace") if isinstance(message.data, bytes) else message.data
        for line in filter(str.strip, text.splitlines()):
            print(self._json(message, line) if self._as_json else self._text(message, line), flush=True)

    def _text(self, message: Message, line: str) -> str:
        # The processes' own lines say when.
        when = f"{message.time:%Y-%m-%d %H:%M:%S} " if message.name == SYSTEM_PRINTER_NAME else ""
        return f"{message.name:<{self.width}} | {when}{visible(line)}"

    def _json(self, message: Message, line: str) -> str:
        return line if line.startswith("{") else logs.json_line(datetime.now(UTC), "INFO", message.name, line)


class _Processes(ProcessManager):  # type: ignore[misc]  # honcho has no types
    def __init__(self) -> None:
        self._children: list[psutil.Process] = []

    def terminate(self, pid: int) -> None:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            self._children += process.children(recursive=True)
            process.terminate()

    def end_strays(self) -> None:
        for child in self._children:
            with suppress(psutil.NoSuchProcess):
                child.kill()


class _Supervisor(Manager):  # type: ignore[misc]  # honcho has no types
    """Tells each process to stop, and not its children: a worker lets them finish what they are at."""

    def __init__(self, printer: Printer) -> None:
        super().__init__(printer)
        self._procmgr = _Processes()

    def loop(self) -> None:
        """Run until all processes have ended, and leave none of their children behind."""
        super().loop()
        self._procmgr.end_strays()


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
