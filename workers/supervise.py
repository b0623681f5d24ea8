"""The processes of the Procfile under one roof: started, heard, started again when one dies, stopped together."""

import math
import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
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
_LISTEN_SECONDS: Final = 0.1
# A process that ends by itself is started again after a second, after two, four … if it goes on ending so soon.
_STEADY_SECONDS: Final = 60
_LONGEST_PAUSE_SECONDS: Final = 60
# Told to stop, a worker has ten seconds for what it is at; whoever takes much longer is killed.
_STOP_SECONDS: Final = 20
_EXIT_CODES: Final = {signal.SIGINT: 130, signal.SIGTERM: 143}


def supervise(servers: EmbeddedServers, ports: Mapping[str, int], places: Sequence[str], *, demo: bool) -> int:
    """Run the processes until the fleet is stopped, and return the exit code.

    Args:
        servers: the embedded ones; the fleet ends when one of them dies.
        ports: free ones, by the names of their settings.
        places: lines that say where to look, for the end of the first round.
        demo: the data is the demo's, just loaded: a first round may run at once.

    Raises:
        FleetError: an embedded server died.
    """
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        **{name: str(port) for name, port in ports.items()},
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
    logs.tell("fleet: stopped; the data stays, `make run` goes on with it")
    return 0


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


@dataclass(slots=True)
class _Life:
    """How a process fares: when it began, how often in a row it ended soon, and when it is to begin again."""

    began: float
    deaths: int = 0
    again: float = math.inf


class _Supervisor(Manager):  # type: ignore[misc]  # honcho has no types
    """Starts again what ends by itself, whatever it is: the others go on meanwhile.

    Told to stop, it tells each process, and not its children: a worker lets them finish what they are at.
    """

    def __init__(self, printer: Printer) -> None:
        super().__init__(printer)
        self._procmgr = _Processes()
        self.returncode: int | None = None
        self._lives: dict[str, _Life] = {}
        self._kill_at = math.inf

    def loop(self) -> None:
        """Run until told to stop, and leave neither a process nor a child of one behind."""
        for number in _EXIT_CODES:
            signal.signal(number, self._told)
        for name in self._processes:
            self._launch(name)
        while not (self._terminating and self._all_stopped()):
            gone = self._gone()
            if not self._hear():
                for name in gone:
                    self._lose(name)
            if self.returncode is None:
                self._start_again()
            elif self._all_started():
                self.terminate()
            if time.monotonic() > self._kill_at:
                self._kill_at = math.inf
                self.kill()
        while self._hear():
            pass
        self._procmgr.end_strays()

    def kill(self) -> None:
        """End what is left, and who speaks for it, at once."""
        super().kill()
        for process in self._processes.values():
            process["process"].kill()

    def _gone(self) -> list[str]:
        """Return those for which nobody speaks any more; of one that ended by itself, it is about to be heard."""
        return [
            name
            for name, process in self._processes.items()
            if process.get("returncode") is None and not process["process"].is_alive()
        ]

    def _lose(self, name: str) -> None:
        """End a process of which nothing will be heard: whoever spoke for it was killed."""
        process = self._processes[name]
        speaker = process["process"]
        with suppress(psutil.NoSuchProcess):
            lost = psutil.Process(process.setdefault("pid", speaker.pid))
            for one in (*lost.children(recursive=True), lost):
                one.kill()
        self._ended(name, speaker.exitcode)

    def _told(self, number: int, _: FrameType | None) -> None:
        if self.returncode is None:
            self.returncode = _EXIT_CODES[signal.Signals(number)]
            self._kill_at = time.monotonic() + _STOP_SECONDS

    def _launch(self, name: str) -> None:
        process = self._processes[name]
        process.pop("pid", None)
        process.pop("returncode", None)
        life = self._lives.setdefault(name, _Life(0.0))
        life.began, life.again = time.monotonic(), math.inf
        process["process"] = multiprocessing.Process(name=name, target=process["obj"].run, args=(self.events, True))
        process["process"].start()

    def _start_again(self) -> None:
        for name, life in self._lives.items():
            if time.monotonic() >= life.again:
                self._launch(name)

    def _hear(self) -> bool:
        """Take one message of a process, if there is one, and say whether there was."""
        try:
            message = self.events.get(timeout=_LISTEN_SECONDS)
        except queue.Empty:
            return False
        match message.type:
            case "line":
                self._printer.write(message)
            case "start":
                self._processes[message.name]["pid"] = message.data["pid"]
                self._system_print(f"{message.name} started (pid={message.data['pid']})")
            case "stop":
                self._ended(message.name, message.data["returncode"])
        return True

    def _ended(self, name: str, code: int) -> None:
        self._processes[name]["returncode"] = code
        if self.returncode is not None:
            self._system_print(f"{name} stopped (rc={code})")
            return
        life = self._lives[name]
        lived = time.monotonic() - life.began
        life.deaths = life.deaths + 1 if lived < _STEADY_SECONDS else 1
        pause = min(1 << min(life.deaths - 1, 30), _LONGEST_PAUSE_SECONDS)
        life.again = time.monotonic() + pause
        self._system_print(
            f"{name} ended by itself (rc={code}), time {life.deaths} in a row: it is started again in {pause} s; "
            "its last lines say why"
        )


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
