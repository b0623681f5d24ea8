"""`make bench`: the figures of speed, as a table and as bench/results/fleet.json."""

import json
import tempfile
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from bench import api, console, crm_writes, delivery, drain, reads, simulation, tick
from workers.db.embedded import EmbeddedServers


def main() -> None:
    """Measure, print, write."""
    out = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="fleet-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        with EmbeddedServers(home) as servers:
            postgres, valkey = servers.urls["DATABASE_URL"], servers.urls["REDIS_URL"]
            ticks = tick.measure(postgres)
            drained = drain.measure(postgres, valkey, home)
            read = reads.measure(postgres)
            writes = crm_writes.measure(postgres)
            delivered = delivery.measure(postgres)
            served = api.measure(postgres)
            pages = console.measure(postgres)
            simulated = simulation.measure(postgres)

    table = Table("what", "measured", "asked for", "holds", box=box.SIMPLE_HEAD)
    for row in read:
        table.add_row(f"(a) {row['read']}", f"p50 {row['p50_ms']} ms, p99 {row['p99_ms']} ms", "0.3 / 1 ms", _mark(row))
    speeds = drained["rows_per_second"]
    table.add_row("(b) fleet, two worker processes", f"{speeds['fleet']:,} rows/s", "", _mark(drained))
    table.add_row(
        "(b) one statement per batch", f"{speeds['limit']:,} rows/s: fleet {drained['fleet_of_limit']:.0%}", "50 %"
    )
    over = drained["fleet_over_row_by_row"]
    table.add_row("(b) row by row", f"{speeds['row_by_row']:,} rows/s: fleet {over} times", "20 times")
    for row in ticks:
        table.add_row(
            f"(c) tick, {row['engine']}", f"median {row['median_ms']} ms", f"{row['asked_ms']} ms", _mark(row)
        )
    for row in writes:
        cost = f"{row['ms_without']} -> {row['ms_with']} ms, {row['wal_without']} -> {row['wal_with']} bytes of WAL"
        name = f"(d) the CRM's {row['write']}, {row['rows_per_transaction']:,} in a transaction"
        table.add_row(name, cost, row["asked"], _mark(row))
    for row in delivered:
        speeds, who = row["messages_per_second"], f"{row['processes']} process{'es' if row['processes'] > 1 else ''}"
        compared = f"{speeds['fleet']:,} messages/s: {row['fleet_of_bare_loop']:.0%} of a bare loop"
        table.add_row(f"(e) e-mail, {who}", compared, "80 %", _mark(row))
        gap = row["ms_since_guards"]
        table.add_row(f"(e) from guards to recorded, {who}", f"median {gap['median']} ms, at most {gap['max']} ms", "")
        loops = f"{speeds['bare_loop']:,} messages/s, {speeds['ready_bytes']:,} of ready bytes"
        table.add_row(f"(e) bare loops over one connection, {who}", loops, "")
    for row in served["reads"]:
        times = f"p95 {row['http_ms']['p95']} ms, in SQL {row['sql_ms']['p95']} ms"
        table.add_row(f"(f) {row['read']} over HTTP", times, "+3 ms", _mark(row))
    per_second = served["requests_per_second"]
    compared = f"{per_second['reads']:,} requests/s, of an empty route {per_second['empty route']:,}"
    table.add_row("(f) reads over HTTP, one process", compared, "500 requests/s", _mark(served))
    for row in pages:
        times = f"p50 {row['ms']['p50']} ms, p95 {row['ms']['p95']} ms"
        table.add_row(f"(g) console: {row['page']}", times, "100 ms", _mark(row))
    quarter = f"{simulated['seconds']} s: {simulated['messages']:,} messages, {simulated['tasks']:,} tasks"
    table.add_row("(h) a quarter of 20 tenants, simulated", quarter, "60 s", _mark(simulated))
    out.print(table)

    results = Path(__file__).parent / "results"
    results.mkdir(exist_ok=True)
    (results / "fleet.json").write_text(
        json.dumps(
            {
                "reads": read,
                "drain": drained,
                "tick": ticks,
                "crm_writes": writes,
                "delivery": delivered,
                "api": served,
                "console": pages,
                "simulation": simulated,
            },
            indent=2,
        )
    )
    out.print(f"written to {results.name}/fleet.json")


def _mark(row: dict[str, object]) -> str:
    return "yes" if row["holds"] else "NO"


if __name__ == "__main__":
    main()
