"""Links that sign somebody in to the console, once: for the operator of this machine, and for people by mail."""

import getpass
import os
from contextlib import suppress
from ipaddress import ip_address
from typing import Final
from uuid import UUID

from workers.db.session import Connection, transaction
from workers.runtime.tokens import new_token, token_hash
from workers.settings import settings

# Where the process that serves the pages notes how it is reached from this machine.
_ADDRESS_FILE: Final = "web.address"


def new_link(connection: Connection, base: str, *, profile: UUID | None = None, operator: str | None = None) -> str:
    """Return a link that signs in a person of a tenant, or the operator, once within fifteen minutes.

    Args:
        connection: outside or inside a transaction.
        base: where the fleet's pages begin.
        profile: whom it signs in; None for the operator.
        operator: what the operator is called where it is kept who did what.
    """
    token = new_token()
    with transaction(connection):
        connection.execute("SELECT make_console_link(%s, %s, %s)", [token_hash(token), profile, operator])
    return f"{base}/console/enter?token={token}"


def operator_name() -> str:
    """Return what whoever runs this process is called on this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.geteuid()}"


def note_address(host: str, port: int) -> None:
    """Note where the pages are served, for `local_address`."""
    address = web_address(host, port)
    with suppress(OSError):  # then the settings say it
        (settings().fleet_home / _ADDRESS_FILE).write_text(address)


def local_address() -> str:
    """Return where the pages are reached from this machine: as the process noted that serves them, else as set."""
    chosen = settings()
    with suppress(OSError):
        if noted := (chosen.fleet_home / _ADDRESS_FILE).read_text().strip():
            return noted
    return web_address(chosen.fleet_web_host, chosen.fleet_web_port)


def web_address(host: str, port: int) -> str:
    """Return the address of a host, which may be IPv6 or every one of this machine, and a port."""
    with suppress(ValueError):  # it is a name
        address = ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"  # noqa: PLR2004  # of the Internet Protocol
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
