"""`fleet console`: a link to the console for whoever operates this machine."""

import socket
import webbrowser
from typing import Annotated
from urllib.parse import urlsplit

import typer

from workers.cli.common import database
from workers.db.session import transaction
from workers.runtime.console_links import local_address, new_link, operator_name
from workers.terminal import say

_SECONDS = 2


def console(
    open_it: Annotated[bool, typer.Option("--open", help="Open it in this machine's browser.")] = False,
    sign_out_all: Annotated[
        bool, typer.Option("--sign-out-all", help="End every session and every unused link instead.")
    ] = False,
) -> None:
    """Print a link that signs the operator in to the console, once within fifteen minutes; or sign everybody out."""
    with database() as connection:
        if sign_out_all:
            with transaction(connection):
                row = connection.execute("SELECT end_console_sessions(NULL) AS n").fetchone()
            ended = row["n"] if row else 0
            say(f"signed out: {ended:,} session{'' if ended == 1 else 's'}; unused links are void")
            return
        base = local_address()
        link = new_link(connection, base, operator=operator_name())
    say(link)
    if not _answers(base):
        say("nobody answers there yet: start `fleet up`, or `fleet web`, within fifteen minutes", style="yellow")
    elif open_it:
        webbrowser.open(link)


def _answers(base: str) -> bool:
    place = urlsplit(base)
    try:
        with socket.create_connection((place.hostname, place.port), timeout=_SECONDS):
            return True
    except OSError:
        return False
