"""`fleet preview`: the first day, before anything leaves."""

from collections import Counter
from typing import Any, Final

import typer

from workers import clock
from workers.cli.common import (
    Json,
    Now,
    OneTenant,
    chosen_tenant,
    database,
    instant_of,
    planned_actions,
    run_now,
    say_trouble,
)
from workers.db.session import transaction
from workers.engines.registry import all_engines
from workers.runtime.dispatch import Report
from workers.terminal import out, print_json, report_table, say, table_of

_KINDS: Final = {"email": "messages", "task": "tasks", "case": "cases"}


def preview(tenant: OneTenant = None, now: Now = None, as_json: Json = False) -> None:
    """Show what the next run of every engine would do if those that nobody decided about were live; change nothing."""
    with database() as connection, clock.at(instant_of(now)):
        only = chosen_tenant(connection, tenant)
        planned = []
        with transaction(connection, force_rollback=True):
            connection.execute("UPDATE fleet_defaults SET mode = 'automatic'")
            reports = [run_now(connection, engine, only, fetch=False) for engine in all_engines().values()]
            for report in reports:  # after all runs, as delivery comes after them: one may end what another began
                planned += planned_actions(connection, report.run)
    day = _first_day(planned)
    if as_json:
        print_json(day | {"engines": [report.as_dict() for report in reports]})
    else:
        _show(day, reports)
    if any(report.failures or report.unfinished for report in reports):
        raise typer.Exit(1)


def _first_day(planned: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how much would leave and to how many people, what would be refused, and a sample of each text."""
    leaving = [action for action in planned if action["refused"] is None]
    counts = Counter(action["kind"] for action in leaving)
    samples: dict[str, dict[str, Any]] = {}
    for action in [*leaving, *planned]:  # one that leaves, if there is any
        samples.setdefault(action["template"], action)
    return {
        **{name: counts[kind] for kind, name in _KINDS.items()},
        "people": len({action["to"].lower() for action in leaving if action["kind"] == "email"}),
        "refused": dict(Counter(action["refused"] for action in planned if action["refused"] is not None)),
        "samples": list(samples.values()),
    }


def _show(day: dict[str, Any], reports: list[Report]) -> None:
    for sample in day["samples"]:
        say(f"{sample['template']}, for instance of {sample['tenant']} to {sample['to'] or 'its own people'}:")
        for line in (f"Subject: {sample['subject']}", "", *sample["body"].split("\n")):
            say(f"    {line}".rstrip())
        say("")
    out.print(report_table([report.as_dict() for report in reports]))
    if day["refused"]:
        out.print(table_of(["n", "would be refused because"], ([n, why] for why, n in day["refused"].items())))
    for report in reports:
        say_trouble(report)
    refused = sum(day["refused"].values())
    say(
        f"the first day: {day['messages']} messages to {day['people']} people, {day['tasks']} tasks, "
        f"{day['cases']} cases; {refused} would be refused"
    )
    say("nothing was changed; to begin: fleet go-live TENANT")
