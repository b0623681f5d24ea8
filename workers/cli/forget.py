"""`fleet forget`: a person's texts, names and addresses are erased; what was done stays countable."""

from typing import Annotated, Final

import typer
from psycopg.errors import ObjectInUse

from workers.cli.common import By, OneTenant, Why, Yes, chosen_tenant, confirm, database, decider, reason_of
from workers.db.session import transaction
from workers.errors import UnknownNameError
from workers.terminal import say

_KINDS: Final = {
    "cancelled": "of what waited, cancelled",
    "actions": "of messages and tasks",
    "mails": "of mails received",
    "failures": "of failed deliveries",
    "surveys": "of answers to surveys",
    "activities": "of quotes' activities",
    "signals": "of opportunity signals",
    "enrichments": "of contact data found",
    "checks": "of compliance checks",
    "decisions": "of decisions",
}


def forget(
    contact: Annotated[
        str,
        typer.Argument(metavar="CONTACT", help="an e-mail address, in any spelling of its mailbox, or a contact's id"),
    ],
    *,
    why: Why,
    tenant: OneTenant = None,
    by: By = None,
    yes: Yes = False,
) -> None:
    """Erase what the fleet keeps of a person, cancel what waits, and never write there again; counts stay."""
    reason = reason_of(why)
    with database() as connection:
        only = chosen_tenant(connection, tenant)
        with transaction(connection):
            found = connection.execute(
                "SELECT * FROM explain_find(%s, %s) WHERE kind = 'address'", [only, contact]
            ).fetchall()
        if len(found) != 1:
            several = [f"  {one['name']} of {one['tenant_name']}" for one in found]
            problem = (
                f"{contact!r} is known to {len(found)} tenants: say --tenant" if found else f"nobody is {contact!r}"
            )
            raise UnknownNameError(problem, *several)
        [person] = found
        address, whose = person["name"], person["tenant_id"]
        confirm(f"Erase what is kept of {address} at {person['tenant_name']}? This cannot be undone.", yes=yes)
        try:
            with transaction(connection):
                erased = connection.execute(
                    "SELECT * FROM forget_person(%s, %s, %s, %s)", [whose, address, decider(by), reason]
                ).fetchall()
                left = connection.execute("SELECT * FROM known_to_the_crm(%s, %s)", [whose, address]).fetchall()
        except ObjectInUse as error:
            raise UnknownNameError(f"{error.diag.message_primary}: forget it again in a few minutes") from error
    say(f"{address} is forgotten at {person['tenant_name']}, and nobody writes there any more. Erased:")
    for row in erased:
        say(f"  {row['erased']:>6,} {_KINDS[row['what']]}")
    if left:
        say("Still in the CRM's own tables, to be erased there; so are the tasks that were filed about it:")
        for row in left:
            say(f"  {row['what']} {row['id']}")
