"""`fleet actions`: see what the engines wrote, and decide what waits for a person."""

import sys
from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, Final, NoReturn

import click
import typer
from psycopg.types.json import Jsonb
from rich.table import Table

from workers.cli.choosing import Ids, chosen_ids, filter_of, with_filter
from workers.cli.common import (
    By,
    Json,
    Limit,
    WhyIfAny,
    Yes,
    confirm,
    database,
    decider,
    instant_of,
    minute,
    moment,
    say_total,
)
from workers.db.session import Connection, transaction
from workers.delivery.facts import with_facts
from workers.delivery.shown import edited_text, sent_text_of
from workers.delivery.texts import Text
from workers.errors import UnknownNameError
from workers.terminal import lines, out, print_json, say, table_of

app = typer.Typer(no_args_is_help=True, help="See and decide actions: show, approve, cancel, retry, edit.")

_MOST_NAMED: Final = 20
_TOWARDS: Final = {"sent": "to", "refused by a mail server": "for", "came back": "from"}  # everything else: by whom
_DONE: Final = {"approve": "approved", "cancel": "cancelled", "retry": "to be tried again", "edit": "edited"}


@app.command("list")
@with_filter
def list_actions(*, said: dict[str, Any], limit: Limit = 50, as_json: Json = False) -> None:
    """List actions, the newest first."""
    with database() as connection:
        rows = _listed(connection, filter_of(connection, said), limit)
    if as_json:
        print_json([_as_json(row) for row in rows])
        return
    out.print(_table(rows))
    say_total(len(rows), rows[0]["total"] if rows else 0)


@app.command()
def show(
    action: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1)],
    as_json: Json = False,
) -> None:
    """Show one action: its text as it would leave or left, what speaks against it now, and what happened to it."""
    with database() as connection:
        row = _one(connection, action)
        with transaction(connection):
            history = connection.execute("SELECT * FROM action_history(%s)", [action]).fetchall()
    if as_json:
        print_json(_as_json(row) | {"history": history})
        return
    text = sent_text_of(row)
    facts = {
        "to": _addressee(row),
        "subject": text.subject,
        "status": row["status"] + (f": {row['reason']}" if row["reason"] else ""),
        "sent" if row["sent_at"] else "planned for": moment(row["sent_at"] or row["run_at"]),
        "attempts": f"{row['attempts']}: {row['last_error']}" if row["last_error"] else row["attempts"] or None,
        "now": _outlook(row),
        "tenant": row["tenant_name"],
        "engine": f"{row['engine']}, {row['kind']} {row['template']}",
        "about": f"{row['subject_type']} {row['subject_id']}",
        "text": _origin(row),
        "guards": _verdicts(row["guards"]),
        "Message-ID": row["message_id"],
    }
    for name, value in facts.items():
        if value is not None:
            say(f"{name + ':':12} {value}")
    say("")
    for line in text.body.splitlines():
        say(f"  {line}" if line else "")
    say("")
    for event in history:
        who = f" {_TOWARDS.get(event['what'], 'by')} {event['who']}" if event["who"] else ""
        say(f"{moment(event['at'])}  {event['what']}{who}{': ' + event['why'] if event['why'] else ''}")


def _origin(row: dict[str, Any]) -> str | None:
    """Say of which version of its template a text was made, and whether what was kept is what was sent."""
    kept = f"SHA-256 {row['sent_hash']}" if row["sent_hash"] else None
    changed = "what is kept was changed since" if row["is_as_sent"] is False else None
    return ", ".join(word for word in (row["text_version"], kept, changed) if word) or None


def _verdicts(guards: dict[str, Any] | None) -> str | None:
    """Say what the guards said of a message until it left, each the last time, in the order of these times."""
    said = sorted((guards or {}).values(), key=lambda verdict: verdict["at"])
    words = (f"{moment(datetime.fromisoformat(one['at']))}: {one.get('reason', 'all guards passed')}" for one in said)
    return "; ".join(words) or None


def _decision(name: str, explanation: str) -> None:
    def decide(
        ids: Ids = None,
        *,
        said: dict[str, Any],
        by: By = None,
        why: WhyIfAny = None,
        yes: Yes = False,
    ) -> None:
        with database() as connection:
            chosen = filter_of(connection, said, ids)
            asked = chosen_ids(connection, chosen, name)
            preview = _preview(connection, asked, name)
            _say_preview(preview, name)
            confirm("Go on?", yes=yes)
            with transaction(connection):
                rows = connection.execute(
                    "SELECT decide_actions(%s, %s, %s, %s) AS id", [preview["decidable"], name, decider(by), why]
                ).fetchall()
            _say_done(connection, name, asked, [row["id"] for row in rows])

    app.command(name, help=explanation)(with_filter(decide))


_decision("approve", "Let suggested actions go out: those of these ids, or of a filter.")
_decision("cancel", "Cancel actions that have not left: those of these ids, or of a filter.")
_decision("retry", "Try failed and dead actions again: those of these ids, or of a filter.")


@app.command()
@with_filter
def edit(
    ids: Ids = None,
    *,
    said: dict[str, Any],
    subject: Annotated[str | None, typer.Option("--subject", help="Another subject.")] = None,
    body: Annotated[
        str | None, typer.Option("--body", metavar="TEXT|-", help="Another text; - is what comes in by a pipe.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="ISO8601", help="Leave not before this; UTC without an offset.")
    ] = None,
    by: By = None,
    why: WhyIfAny = None,
    yes: Yes = False,
) -> None:
    """Change the text of one action that has not left, in your editor unless it is said here; or the time of many."""
    run_at = instant_of(at, "--at")
    with database() as connection:
        chosen = filter_of(connection, said, ids)
        asked = chosen_ids(connection, chosen, "edit")
        preview = _preview(connection, asked, "edit")
        edited = None
        if run_at is None or subject is not None or body is not None:
            if len(asked) != 1:
                raise UnknownNameError(f"a text is edited one at a time, these are {len(asked):,} (--at moves many)")
            edited = _edited(sent_text_of(_one(connection, asked[0])), subject, body)
            if edited is None:
                say("nothing was changed")
                return
            say(edited.subject)
            for line in ("", *edited.body.splitlines(), ""):
                say(line)
        if run_at is not None:
            say(f"not before {moment(run_at)}:")
        _say_preview(preview, "edit")
        confirm("Go on?", yes=yes)
        changes = Jsonb({"subject": edited.subject, "body": edited.body}) if edited else None
        with transaction(connection):
            rows = connection.execute(
                "SELECT edit_actions(%s, %s, %s, %s, %s) AS id",
                [preview["decidable"], changes, run_at, decider(by), why],
            ).fetchall()
        _say_done(connection, "edit", asked, [row["id"] for row in rows])


def _listed(connection: Connection, chosen: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    with transaction(connection):
        rows = connection.execute("SELECT * FROM list_actions(%s, %s)", [Jsonb(chosen), limit]).fetchall()
        return with_facts(connection, rows)


def _one(connection: Connection, action: int) -> dict[str, Any]:
    rows = _listed(connection, {"ids": [action]}, 1)
    if not rows:
        raise UnknownNameError(f"no action {action} (`fleet actions list` shows them)")
    return rows[0]


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    text = sent_text_of(row)
    kept = {name: value for name, value in row.items() if name not in ("total", "sent_subject", "facts")}
    return kept | {"subject": text.subject, "body": text.body}


def _table(rows: list[dict[str, Any]]) -> Table:
    """Return the table of a list; whose they are is said where they are several tenants'."""
    several = len({row["tenant_id"] for row in rows}) > 1
    return table_of(
        ["id", "when", "status", "to whom, about what, and why"],
        (
            [
                row["action_id"],
                minute(row["sent_at"] or row["run_at"]),
                row["status"],
                lines(
                    _addressee(row),
                    row["tenant_name"] if several else None,
                    sent_text_of(row).subject,
                    row["reason"] or row["last_error"] or row["refused"],
                ),
            ]
            for row in rows
        ),
    )


def _addressee(row: dict[str, Any]) -> str:
    """Say to whom an action goes: a mailbox, or the tenant's own people by a task or a case."""
    return f"a {row['kind']}" if row["kind"] in ("task", "case") else row["address"] or "nobody"


def _outlook(row: dict[str, Any]) -> str | None:
    """Say what would become of an action that has not left, if it were to leave now."""
    if row["status"] not in ("suggested", "scheduled", "failed", "dead"):
        return None
    return f"it would be refused: {row['refused']}" if row["refused"] else "nothing speaks against it"


def _edited(text: Text, subject: str | None, body: str | None) -> Text | None:
    """Return the text as it is to be, asking an editor where nothing was said; None if it stays as it is."""
    if body == "-":
        body = sys.stdin.read()
    if subject is None and body is None:
        try:
            written = click.edit(f"{text.subject}\n\n{text.body}")
        except click.ClickException as error:
            raise UnknownNameError(f"no editor ({error.message}): say --subject and --body") from None
        if written is None:
            return None
        subject, _, body = written.strip().partition("\n")
    try:
        return edited_text(text, text.subject if subject is None else subject, text.body if body is None else body)
    except ValueError as error:
        raise UnknownNameError(str(error)) from None


def _preview(connection: Connection, ids: list[int], decision: str) -> dict[str, Any]:
    """Return what a decision would mean.

    Raises:
        UnknownNameError: it is possible for none of these actions.
    """
    with transaction(connection):
        row = connection.execute("SELECT * FROM preview_decision(%s, %s)", [ids, decision]).fetchone()
    assert row is not None  # noqa: S101  # an aggregate is one row
    if not row["decidable"]:
        _refuse(connection, decision, ids)
    return row


def _say_preview(row: dict[str, Any], decision: str) -> None:
    parts = []
    if row["messages"]:
        parts.append(f"{_number(row['messages'], 'message')} to {_number(row['people'], 'person', 'people')}")
    if row["internal"]:
        parts.append(_number(row["internal"], "task or case", "tasks and cases"))
    say(f"{decision}: {', '.join(parts)}")
    if decision != "cancel":
        for day, n in sorted(row["moved"].items()):
            say(f"  {n:,} leave on {date.fromisoformat(day):%A %d %B %Y} at the earliest")
        for reason, n in sorted(row["refused"].items(), key=lambda item: (-item[1], item[0])):
            say(f"  {n:,} would be refused: {reason}")


def _number(n: int, one: str, many: str | None = None) -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def _say_done(connection: Connection, decision: str, asked: Iterable[int], done: list[int]) -> None:
    """Say for which actions a decision was carried out, and for which it could not be."""
    if done:
        say(f"{_DONE[decision]}: {_named(map(str, done))}")
    if left := sorted(set(asked) - set(done)):
        _refuse(connection, decision, left)


def _named(words: Iterable[str]) -> str:
    """Return the first of many words, and how many more there are."""
    every = list(words)
    more = f" and {len(every) - _MOST_NAMED:,} more" if len(every) > _MOST_NAMED else ""
    return ", ".join(every[:_MOST_NAMED]) + more


def _refuse(connection: Connection, decision: str, ids: list[int]) -> NoReturn:
    """Name the actions for which a decision is not possible, and why."""
    with transaction(connection):
        found = connection.execute("SELECT id, status FROM scheduled_actions WHERE id = ANY (%s)", [ids]).fetchall()
    statuses = {row["id"]: row["status"] for row in found}
    words = (f"{one} ({statuses.get(one, 'no such action')})" for one in ids)
    raise UnknownNameError(f"cannot {decision} {_named(words)}")
