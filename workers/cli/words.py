"""`fleet words`: what the stages and statuses of a CRM mean, however they are spelled."""

from typing import Annotated

import psycopg
import typer

from workers.cli.common import (
    By,
    Json,
    OneTenant,
    TenantName,
    chosen_tenant,
    completing,
    database,
    decider,
    tenant_named,
)
from workers.db.session import transaction
from workers.errors import UnknownNameError
from workers.runtime.words import MEANINGS
from workers.terminal import out, print_json, say, table_of

app = typer.Typer(
    no_args_is_help=True, help="Say what the CRM's stages and statuses mean; unknown ones are not acted on."
)

_Kind = Annotated[
    str,
    typer.Argument(help=", ".join(MEANINGS), autocompletion=lambda incomplete: completing(incomplete, MEANINGS)),
]
_Word = Annotated[str, typer.Argument(help="as the CRM spells it; case, spaces and punctuation do not count")]


@app.command()
def unknown(as_json: Json = False) -> None:
    """List the words that nobody knows, and how many rows wait for each."""
    with database() as connection, transaction(connection):
        rows = connection.execute("SELECT * FROM unknown_words()").fetchall()
    if as_json:
        print_json(rows)
        return
    columns = ["tenant_name", "kind", "word", "n"]
    out.print(table_of(["tenant", "kind", "word", "rows"], ([row[name] for name in columns] for row in rows)))


@app.command("list")
def list_words(tenant: OneTenant = None, as_json: Json = False) -> None:
    """List the words that tenants explained themselves."""
    with database() as connection:
        only = chosen_tenant(connection, tenant)
        with transaction(connection):
            rows = connection.execute("SELECT * FROM list_words(%s)", [only]).fetchall()
    if as_json:
        print_json(rows)
        return
    columns = ["tenant_name", "kind", "word", "meaning", "decided_by"]
    headings = [name.removesuffix("_name").replace("_", " ") for name in columns]
    out.print(table_of(headings, ([row[name] for name in columns] for row in rows)))


@app.command("set")
def set_word(
    tenant: TenantName,
    kind: _Kind,
    word: _Word,
    meaning: Annotated[str, typer.Argument(help="open, won, lost; delivered, cancelled, returned; closed")],
    by: By = None,
) -> None:
    """Say what a word means for a tenant; what waited for it goes on with the next run."""
    if meaning not in _meanings(kind):
        raise UnknownNameError(f"a {kind} means {', '.join(_meanings(kind))}, not {meaning!r}")
    _decide(tenant, kind, word, meaning, by)
    say(f"{kind} {word!r} means {meaning}")


@app.command()
def unset(tenant: TenantName, kind: _Kind, word: _Word, by: By = None) -> None:
    """Let a word mean again what it means everywhere, if anything."""
    _meanings(kind)
    _decide(tenant, kind, word, None, by)
    say(f"{kind} {word!r} means what it means everywhere")


def _meanings(kind: str) -> tuple[str, ...]:
    try:
        return MEANINGS[kind]
    except KeyError:
        raise UnknownNameError(f"no kind of words {kind!r}: there are {', '.join(MEANINGS)}") from None


def _decide(tenant: str, kind: str, word: str, meaning: str | None, by: str | None) -> None:
    with database() as connection:
        whose = tenant_named(connection, tenant)
        try:
            with transaction(connection):
                connection.execute("SELECT set_word(%s, %s, %s, %s, %s)", [whose, kind, word, meaning, decider(by)])
        except psycopg.errors.CheckViolation:
            raise UnknownNameError(f"{word!r} has no letter that would count") from None
