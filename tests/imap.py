"""A real IMAP server on the loopback: Debian's dovecot, a child of the test, with folders of its own."""

import contextlib
import imaplib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.mail import free_port

_PASSWORD = "p@ss/word"  # noqa: S105  # characters that a URL must escape
_OAUTH2 = """\
introspection_url = http://127.0.0.1:{port}/introspect
introspection_mode = post
active_attribute = active
active_value = true
username_attribute = username
"""


@dataclass(frozen=True)
class ImapServer:
    """Every account exists and has the same password."""

    port: int
    tokens_port: int = field(
        default_factory=free_port
    )  # where it asks whether a token is good (RFC 7662), if it is shown one

    def token_url(self, account: str) -> str:
        """The URL of a folder in which nobody has a password."""
        return f"imap://{quote(account, safe='')}@127.0.0.1:{self.port}/INBOX?starttls=off"

    def url(self, account: str, folder: str = "INBOX", password: str = _PASSWORD) -> str:
        user, secret = quote(account, safe=""), quote(password, safe="")
        return f"imap://{user}:{secret}@127.0.0.1:{self.port}/{folder}?starttls=off"

    @contextlib.contextmanager
    def session(self, account: str) -> Iterator[imaplib.IMAP4]:
        """The account's own mail program."""
        server = imaplib.IMAP4("127.0.0.1", self.port, timeout=30)
        server.login(account, _PASSWORD)
        yield server
        server.logout()

    def deliver(self, account: str, *raws: bytes, folder: str = "INBOX") -> None:
        """Put messages into a folder."""
        with self.session(account) as server:
            for raw in raws:
                status, answer = server.append(folder, "", "", raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
                assert status == "OK", answer


@contextlib.contextmanager
def running_dovecot() -> Iterator[ImapServer]:
    """Run a dovecot; where it is missing the test fails in CI, and says so on a machine with Python and make alone."""
    program = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin")
    if program is None:
        reason = "dovecot is missing: apt-get install dovecot-imapd"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    home = Path(tempfile.mkdtemp(prefix="fleet-imap-"))
    server = ImapServer(free_port())
    (home / "mail").mkdir()
    (home / "dovecot.conf").write_text(_configuration(home, server.port))
    (home / "oauth2.conf").write_text(_OAUTH2.format(port=server.tokens_port))
    process = subprocess.Popen([program, "-F", "-c", str(home / "dovecot.conf")])
    try:
        _wait(process, server.port, home / "log")
        yield server
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(home, ignore_errors=True)


def _configuration(home: Path, port: int) -> str:
    """Dovecot 2.3, as root (with its own users beneath it) or as whoever runs the tests."""
    root = os.getuid() == 0
    owner = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.getuid())
    if root:
        home.chmod(0o755)
        os.chown(home / "mail", owner.pw_uid, owner.pw_gid)
    unprivileged = "" if root else (
        f"default_internal_user = {owner.pw_name}\ndefault_login_user = {owner.pw_name}\n"
        f"default_internal_group = {owner.pw_gid}\nservice anvil {{\n  chroot =\n}}\nservice stats {{\n  chroot =\n}}\n"
    )  # fmt: skip
    return f"""\
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{home}/mail/%u
first_valid_uid = 1
first_valid_gid = 1
auth_mechanisms = plain xoauth2
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {home}/oauth2.conf
}}
passdb {{
  driver = static
  args = password={_PASSWORD}
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={home}/mail/%u
}}
service imap-login {{
  chroot = {"login" if root else ""}
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
{unprivileged}"""


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        said = log.read_text() if log.exists() else ""
        assert process.poll() is None, f"dovecot ended by itself: {said}"
        assert time.monotonic() < deadline, f"dovecot does not answer: {said}"
        time.sleep(0.02)
