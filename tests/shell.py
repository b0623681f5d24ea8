"""The command line as an operator calls it: what it prints on which stream, and its exit code.

`fleet` calls it in this process, which takes a tenth of a start. Where being a process is what is tested (streams and
their encodings, exit codes, colours), it is `fleet_process`.
"""

import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import CompletedProcess
from typing import Final

import pytest

from workers import terminal
from workers.cli import main
from workers.settings import settings

FLEET: Final = [sys.executable, "-m", "workers"]
PIPE_WIDTH: Final = 200


def fleet(database_url: str | None, *arguments: str, stdin: bytes = b"", **environment: str) -> CompletedProcess[str]:
    """Run a command in this process against a database, or against none at all."""
    stdout, stderr = _stream(), _stream()
    with pytest.MonkeyPatch.context() as here, _own_logging():
        here.delenv("DATABASE_URL", raising=False)
        for name, value in _variables(database_url, environment).items():
            here.setenv(name, value)
        here.setattr(terminal.out, "width", int(environment.get("COLUMNS", PIPE_WIDTH)))
        here.setattr(sys, "excepthook", sys.excepthook)  # Typer's own would stay
        here.setattr(sys, "argv", ["fleet", *arguments])
        here.setattr(sys, "stdin", _stream(stdin))
        here.setattr(sys, "stdout", stdout)
        here.setattr(sys, "stderr", stderr)
        settings.cache_clear()
        try:
            main()
            code: str | int | None = 0
        except SystemExit as end:
            code = end.code
    settings.cache_clear()
    assert code is None or isinstance(code, int), code
    return CompletedProcess(["fleet", *arguments], code or 0, _written(stdout), _written(stderr))


def fleet_process(
    database_url: str | None, *arguments: str, stdin: bytes = b"", **environment: str
) -> CompletedProcess[str]:
    """Run a command as a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    done = subprocess.run(
        [*FLEET, *arguments], env=inherited | _variables(database_url, environment), input=stdin, capture_output=True,
        timeout=120, check=False,
    )  # fmt: skip
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    return CompletedProcess(done.args, done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding))


def one_line(result: CompletedProcess[str]) -> str:
    """An operator's mistake: exit code 2, one line on stderr, no traceback."""
    assert result.returncode == 2, result
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def _variables(database_url: str | None, environment: dict[str, str]) -> dict[str, str]:
    return environment | ({"DATABASE_URL": database_url} if database_url else {})


def _stream(content: bytes = b"") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), "utf-8", write_through=True)


def _written(stream: io.TextIOWrapper) -> str:
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


@contextmanager
def _own_logging() -> Iterator[None]:
    """Let the command set up the log lines of its process, and give pytest its own back."""
    changed = [logging.getLogger(name) for name in ("root", "workers", "celery", "flower")]
    levels = [logger.level for logger in changed]
    handlers, logging.root.handlers = logging.root.handlers, []
    try:
        yield
    finally:
        logging.root.handlers = handlers
        logging.captureWarnings(capture=False)
        for logger, level in zip(changed, levels, strict=True):
            logger.setLevel(level)
