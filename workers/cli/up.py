"""`fleet up`: start everything on this machine."""

from typing import Annotated

import typer


def up(
    demo: Annotated[bool, typer.Option("--demo/--no-demo", help="Load demo tenants into an empty database.")] = True,
) -> None:
    """Start everything: servers (unless set), migrations, demo data, beat, workers, delivery and Flower."""
    from workers.up import start  # noqa: PLC0415  # servers and supervisor are of no use to the other commands

    raise typer.Exit(start(demo=demo))
