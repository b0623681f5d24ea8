"""The command line as an operator calls it: a real process, its output and its exit code."""

import os
import subprocess
import sys
from typing import Final

FLEET: Final = [sys.executable, "-m", "workers"]


def fleet(
    database_url: str | None, *arguments: str, stdin: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command against a database, or against none at all."""
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    encoding = environment.get("PYTHONIOENCODING")
    if database_url:
        environment["DATABASE_URL"] = database_url
    return subprocess.run(
        [*FLEET, *arguments], env=inherited | environment, capture_output=True, text=True, timeout=60, check=False,
        input=stdin, encoding=encoding,
    )  # fmt: skip


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    """An operator's mistake: exit code 2, one line on stderr, no traceback."""
    assert result.returncode == 2, result
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]
