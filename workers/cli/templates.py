"""`fleet templates`: the texts that customers and the tenant's own people read, and a tenant's own versions of them."""

import sys
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import click
import typer

from workers.cli.common import By, Json, OneTenant, TenantName, completing, database, decider, tenant_named
from workers.db.session import Connection, transaction
from workers.delivery.texts import Text, shipped_source, shipped_templates
from workers.delivery.trial import require_text, sample_for, tried
from workers.delivery.wording import ENGLISH, LANGUAGES
from workers.errors import UnknownNameError
from workers.terminal import out, print_json, say, table_of

app = typer.Typer(no_args_is_help=True, help="Read the texts of messages and tasks; give a tenant its own.")

_Template = Annotated[
    str,
    typer.Argument(
        metavar="TEMPLATE", autocompletion=lambda incomplete: completing(incomplete, sorted(shipped_templates()))
    ),
]
_Language = Annotated[str, typer.Option("--language", help=", ".join(LANGUAGES))]
_File = Annotated[Path | None, typer.Option("--file", help="Take the text from a file (- is the input).")]


class _Place(NamedTuple):
    """Which text of which tenant."""

    tenant: UUID
    template: str
    language: str


@app.command("list")
def list_templates(tenant: OneTenant = None, as_json: Json = False) -> None:
    """List the texts, the languages they are in, and the versions of a tenant's own."""
    own: list[dict[str, Any]] = []
    if tenant is not None:
        with database() as connection, transaction(connection):
            whose = tenant_named(connection, tenant)
            own = connection.execute("SELECT * FROM own_templates(%s)", [whose]).fetchall()
    shipped = sorted(shipped_templates().items())
    versions = {
        name: {row["language"]: row["version"] for row in own if row["template"] == name} for name, _ in shipped
    }
    if as_json:
        print_json([{"template": name, "languages": written, "own": versions[name]} for name, written in shipped])
        return
    lines = (
        [name, ", ".join(written), ", ".join(f"{language} {number}" for language, number in versions[name].items())]
        for name, written in shipped
    )
    out.print(table_of(["template", "languages", "own versions"], lines))


@app.command()
def show(tenant: TenantName, template: _Template, language: _Language = ENGLISH) -> None:
    """Print the source of a text as it is in force for a tenant."""
    with database() as connection, transaction(connection):
        place = _place(connection, tenant, template, language)
        sys.stdout.write(_source(connection, place))


@app.command()
def preview(tenant: TenantName, template: _Template, language: _Language = ENGLISH, file: _File = None) -> None:
    """Show a text filled with what was last written for the tenant, else with a sample."""
    with database() as connection, transaction(connection):
        place = _place(connection, tenant, template, language)
        texts = _tried(connection, place, _read(file) if file else _source(connection, place))
    if not texts:
        raise UnknownNameError(f"nothing was written with {template} yet: there is nothing to show it on")
    say(f"Subject: {texts[0].subject}")
    for line in ("", *texts[0].body.splitlines()):
        say(line)


@app.command()
def edit(
    tenant: TenantName, template: _Template, language: _Language = ENGLISH, file: _File = None, by: By = None
) -> None:
    """Give a tenant its own version of a text, from a file or in your editor ($EDITOR)."""
    with database() as connection:
        place = _place(connection, tenant, template, language)
        before = _source(connection, place)
        source = _read(file) if file else click.edit(before, extension=".txt.j2")
        if source is None or source == before:
            say("nothing was changed")
            return
        with transaction(connection):
            _tried(connection, place, source)
            version = _save(connection, place, source, by)
    say(f"{template} ({language}) is version {version}")


@app.command()
def reset(tenant: TenantName, template: _Template, language: _Language = ENGLISH, by: By = None) -> None:
    """Let the shipped text be in force again; the tenant's own versions are kept."""
    with database() as connection, transaction(connection):
        version = _save(connection, _place(connection, tenant, template, language), None, by)
    say(f"{template} ({language}) is the shipped one again, as version {version}")


def _place(connection: Connection, tenant: str, template: str, language: str) -> _Place:
    require_text(template, language)
    return _Place(tenant_named(connection, tenant), template, language)


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnknownNameError(f"{file} cannot be read: {error}") from None


def _source(connection: Connection, place: _Place) -> str:
    rows = connection.execute("SELECT * FROM own_templates(%s)", [place.tenant]).fetchall()
    own = {(row["template"], row["language"]): str(row["source"]) for row in rows}
    return own.get((place.template, place.language)) or shipped_source(place.template, place.language)


def _save(connection: Connection, place: _Place, source: str | None, by: str | None) -> int:
    row = connection.execute(
        "SELECT save_template(%s, %s, %s, %s, %s) AS version", [*place, source, decider(by)]
    ).fetchone()
    assert row is not None  # noqa: S101  # the function returns one row
    version: int = row["version"]
    return version


def _tried(connection: Connection, place: _Place, source: str) -> list[Text]:
    """Return a text as it reads on the tenant's latest action, else on a sample; see `tried`."""
    _, template, language = place
    row = connection.execute("SELECT * FROM template_sample(%s, %s)", place[:2]).fetchone()
    assert row is not None  # noqa: S101  # the tenant is there
    return tried(source, template, language, sample_for(template, language, row))
