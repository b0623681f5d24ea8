"""Demo tenants: enough of a CRM that every engine has something due, waiting, blocked and finished."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any, Final

from psycopg import sql
from psycopg.types.json import Jsonb

from workers import clock
from workers.db.session import Connection, transaction
from workers.load.demo.people import Profile, Tenant, World
from workers.load.demo.sales import add_deals, add_quotes
from workers.load.demo.service import add_compliance, add_found_data, add_orders
from workers.resources import shipped

PROFILES: Final = (
    Profile(
        "Harbour & Pine Interiors",
        "harbourpine",
        120,
        "Europe/London",
        ("Lobby refit", "Forty desk chairs", "Meeting room tables", "Reception desk", "Guest room furniture"),
        "GBP",
        "1 Quay Street\nBristol BS1 4AA\nUnited Kingdom",
    ),
    Profile(
        "Alpenglow Instruments",
        "alpenglow",
        60,
        "Europe/Zurich",
        ("Two spectrometers", "Calibration contract", "Lab upgrade", "Sensor kit", "Service plan 2 years"),
        "CHF",
        "Seeweg 1\n8002 Zurich\nSwitzerland",
        modes=(("quotes", "review"),),
    ),
    Profile(
        "Copper Kettle Foods",
        "copperkettle",
        36,
        "America/Chicago",
        ("Weekly tea delivery", "Canteen supply", "Gift boxes", "Coffee corner", "Seasonal menu"),
        "USD",
        "100 Mill Road\nChicago, IL 60601\nUSA",
        paused=True,
    ),
    Profile(
        "Sakura Machine Parts",
        "sakura-parts",
        14,
        "Asia/Tokyo",
        ("Bearing set", "Spindle repair", "Spare part stock", "Coolant pumps"),
        "JPY",
        "1-2-3 Kaigan, Minato-ku\nTokyo 105-0022\nJapan",
        window=("08:00", "18:00"),
        modes=(("compliance", "review"), ("feedback", "off")),
    ),
)
# In the order in which rows refer to each other. "requests" are no table: they settle what triggers made.
_TABLES: Final = (
    "tenants", "tenant_delivery", "tenant_letters", "engine_settings", "profiles", "clients", "contacts", "vendors",
    "orders", "cases", "deals", "deal_stage_history", "quotes", "quote_activities", "quote_outcomes", "quote_counters",
    "contact_enrichment_queue", "opportunity_signals", "compliance_schedule", "compliance_checks", "suppressions",
)  # fmt: skip
_dumps: Final = partial(json.dumps, default=str)


@dataclass(frozen=True, slots=True)
class DemoSummary:
    """How many rows of each table were loaded."""

    rows: dict[str, int]

    def __str__(self) -> str:
        shown = ("tenants", "clients", "contacts", "deals", "orders", "quotes", "vendors")
        return ", ".join(f"{self.rows[table]} {table}" for table in shown) + f"; {sum(self.rows.values())} rows in all"


def is_empty(connection: Connection) -> bool:
    """Say whether the database has no tenant yet."""
    with transaction(connection):
        return connection.execute("SELECT FROM tenants LIMIT 1").fetchone() is None


def load_demo(
    connection: Connection, *, seed: int = 7, now: datetime | None = None, profiles: Sequence[Profile] = PROFILES
) -> DemoSummary:
    """Load the demo tenants, all or nothing; the same seed and instant give the same rows and ids.

    Args:
        connection: to a migrated database; outside any transaction, or inside one that is taken part in.
        seed: what the names, amounts and dates are drawn with.
        now: the instant the cases are arranged around; the fleet's clock if None.
        profiles: the tenants.

    Raises:
        psycopg.errors.UniqueViolation: the same demo is there already.
    """
    instant = (now or clock.now()).astimezone(UTC)
    world = World(Random(seed), instant)  # noqa: S311  # a demo is no secret
    for profile in profiles:
        tenant = Tenant(world, profile)
        written_to = add_deals(tenant)
        add_quotes(tenant)
        add_orders(tenant)
        add_found_data(tenant)
        add_compliance(tenant)
        address = next(person.address for person in tenant.people if person.contact in written_to)
        world.rows["suppressions"].append(
            {"tenant_id": tenant.id, "address": address, "reason": "unsubscribed", "created_at": world.ago(3)}
        )
    with clock.at(instant), transaction(connection):
        for table in _TABLES:
            _insert(connection, table, world.rows[table])
        settle = (shipped("schema") / "load" / "demo.sql").read_bytes()
        connection.execute(
            settle,
            {
                "requests": Jsonb(world.rows["requests"], dumps=_dumps),
                "tenants": [row["id"] for row in world.rows["tenants"]],
            },
        )
    return DemoSummary({table: len(world.rows[table]) for table in _TABLES})


def _insert(connection: Connection, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert rows, a statement for each set of columns, so that what a row does not name gets its default."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        alike[tuple(row)].append(row)
    for columns, group in alike.items():
        statement = sql.SQL(
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_recordset(NULL::{table}, %s)"
        ).format(table=sql.Identifier(table), columns=sql.SQL(", ").join(map(sql.Identifier, columns)))
        connection.execute(statement, [Jsonb(group, dumps=_dumps)])
