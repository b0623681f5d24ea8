"""`fleet schedule`: when each engine begins next, for a tenant or for all."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from workers import clock
from workers.cli.common import Json, Now, OneEngine, OneTenant, chosen_tenant, database, instant_of
from workers.db.session import Connection, transaction
from workers.engines.registry import all_engines, engine_named
from workers.runtime.cron import next_instants
from workers.runtime.limits import DELIVERY, TENANT, limits_of
from workers.runtime.occurrences import Timetable, timetables, timetables_for
from workers.terminal import lines, out, print_json, say, table_of

app = typer.Typer(no_args_is_help=True, help="See when each engine begins.")


@app.command()
def show(
    tenant: OneTenant = None,
    engine: OneEngine = None,
    count: Annotated[
        int | None,
        typer.Option("--next", min=1, max=1000, metavar="N", help="How many times of each; default: 3, of all 1."),
    ] = None,
    now: Now = None,
    as_json: Json = False,
) -> None:
    """Show the timetables in use, by whose clocks they are read, and when engines begin next."""
    with clock.at(instant_of(now)):
        present = clock.now()
        with database() as connection:
            only = chosen_tenant(connection, tenant)
            engines = [engine_named(engine).name] if engine else list(all_engines())
            with transaction(connection):
                in_use = dict.fromkeys(timetables_for(connection, only).values(), 1) if only else timetables(connection)
                limits = [_limit(connection, one, only) for one in (*engines, *([] if engine else (DELIVERY, TENANT)))]
    rows = [
        _row(one, in_use[one], present, count or (3 if only else 1))
        for one in _in_order(in_use)
        if one.engine in engines
    ]
    limits = [one for one in limits if one["workers"] or one["per_minute"]]
    paused = [name for name in engines if name not in {row["engine"] for row in rows}]
    if as_json:
        print_json({"timetables": rows, "paused": paused, "limits": limits})
        return
    out.print(
        table_of(
            ["engine", "minute hour day month weekday", "clocks of", "tenants", "next"],
            (
                [row["engine"], row["cron"], row["time_zone"], row["tenants"], lines(*map(_local, row["next"]))]
                for row in rows
            ),
        )
    )
    for name in paused:
        say(f"{name} is paused for this tenant: it does not begin")
    for one in limits:
        workers, per_minute = one["workers"], one["per_minute"]
        said = [f"has {workers:,} worker{'s' if workers > 1 else ''} at a time"] if workers else []
        said += [f"works {per_minute:,} due items of a tenant in a minute"] if per_minute else []
        say(f"{'a tenant' if one['of'] == TENANT else one['of']} {' and '.join(said)} at most")


def _limit(connection: Connection, what: str, tenant: UUID | None) -> dict[str, Any]:
    """What the settings allow an engine, delivery or a tenant, or the operator this tenant."""
    workers, per_minute = limits_of(what)
    row = connection.execute(
        "SELECT tenant_quota(%s, 'workers') AS workers, tenant_quota(%s, 'items') AS items", [tenant, tenant]
    ).fetchone()
    assert row is not None  # noqa: S101  # it always answers
    if what == TENANT:
        workers = row["workers"] or workers
    elif what != DELIVERY:
        per_minute = row["items"] or per_minute
    return {"of": what, "workers": workers, "per_minute": per_minute}


def _in_order(in_use: Any) -> list[Timetable]:
    order = list(all_engines())
    return sorted(in_use, key=lambda one: (order.index(one.engine), -in_use[one], one.cron, one.zone.key))


def _row(timetable: Timetable, tenants: int, present: datetime, count: int) -> dict[str, Any]:
    begins = next_instants(timetable.cron, timetable.zone, present)
    return {
        "engine": timetable.engine,
        "cron": timetable.cron,
        "time_zone": timetable.zone.key,
        "tenants": tenants,
        "next": [next(begins).astimezone(timetable.zone) for _ in range(count)],
    }


def _local(instant: datetime) -> str:
    return f"{instant:%a %d %b %Y %H:%M %Z}"
