"""A process that was started as root and goes on as another user of the machine.

python -m tests.local_user USER fleet HOME    runs the embedded servers, until its input ends
python -m tests.local_user USER stranger      tries all doors that its input names, and says which opened
"""

import json
import os
import pwd
import socket
import sys
from pathlib import Path
from typing import Any

import psycopg

from workers.db.embedded import EmbeddedServers


def become(name: str) -> None:
    user = pwd.getpwnam(name)
    if user.pw_uid != os.geteuid():
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)


def run_fleet(home: str) -> None:
    with EmbeddedServers(Path(home)) as servers:
        print(json.dumps(servers.urls), flush=True)
        sys.stdin.read()


def try_doors(doors: dict[str, Any]) -> list[str]:
    """Try to read files, list folders, speak to sockets and log in to databases; returns what worked."""
    opened = []
    for path in doors["paths"]:
        try:
            if os.path.isdir(path):  # noqa: PTH112  # a Path of this Python raises where the way is barred
                os.listdir(path)  # noqa: PTH208
            else:
                Path(path).read_bytes()
        except OSError:
            continue
        opened.append(path)
    for path in doors["sockets"]:
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(path)
            except OSError:
                continue
            opened.append(path)
    for url in doors["databases"]:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            continue
        opened.append(url)
    return opened


if __name__ == "__main__":
    become(sys.argv[1])
    if sys.argv[2] == "fleet":
        run_fleet(sys.argv[3])
    else:
        print(json.dumps(try_doors(json.load(sys.stdin))))
