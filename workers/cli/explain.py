"""`fleet explain`: how something stands, what happens next, and why nothing does."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from workers import clock
from workers.cli.common import Json, Now, OneTenant, chosen_tenant, database, instant_of, minute
from workers.db.session import transaction
from workers.errors import UnknownNameError
from workers.runtime.explanation import HEADINGS, parts_of
from workers.runtime.occurrences import next_begins
from workers.settings import settings
from workers.terminal import print_json, say

_MOST_NAMED: Final = 20


def explain(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS|DEAL|QUOTE|ORDER|CHECK",
            help="an e-mail address, a quote's or order's number, a deal's title, or an id",
        ),
    ],
    tenant: OneTenant = None,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Say in words how something stands, what comes next and when, why nothing does, and what happened."""
    with clock.at(instant_of(now)), database() as connection:
        only = chosen_tenant(connection, tenant)
        with transaction(connection):
            found = connection.execute("SELECT * FROM explain_find(%s, %s)", [only, what]).fetchall()
            item = _only(what, found)
            sentences = connection.execute(
                "SELECT * FROM explain_item(%(engine)s, %(tenant_id)s, %(item)s, %(subject)s)", item
            ).fetchall()
            begins = next_begins(connection, item["tenant_id"], clock.now())
        if as_json:
            print_json(item | {"sentences": sentences})
            return
        _say(item, parts_of(sentences, item["engine"], begins))


def _say(item: dict[str, Any], parts: Mapping[str, list[Mapping[str, Any]]]) -> None:
    """Say how it stands, what comes next, with the engine's next run, and what happened."""
    named = "" if item["kind"] == "address" else f" ({item['item']})"
    present, zone = clock.now(), settings().time_zone
    say(f"{item['kind']} {item['name'] or ''} of {item['tenant_name']}{named}; times are {zone.key}")
    for tense, heading in HEADINGS.items():
        say("")
        say(f"{heading}:")
        for sentence in parts[tense]:
            at = sentence["at"]
            when = "now" if tense == "next" and at <= present else minute(at) if at else ""
            say(f"  {when:16}  {sentence['what']}")
        if not parts[tense]:
            say("  nothing")


def _only(what: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what was found if it is one thing.

    Raises:
        UnknownNameError: it is none, or which of several is not clear; each is named.
    """
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnknownNameError(f"no address, deal, quote, order or check {what!r}")
    several = [f"  {one['kind']} {one['item']} {one['name']}, {one['tenant_name']}" for one in found[:_MOST_NAMED]]
    more = [f"  and {len(found) - _MOST_NAMED} more"] if len(found) > _MOST_NAMED else []
    raise UnknownNameError(f"{what!r} may be any of {len(found)}: say its id, or --tenant", *several, *more)
