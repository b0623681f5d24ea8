"""If these fail, people decide by figures that are not what happened, wait for them, or cannot look behind them."""

import csv
import io
import re
from html import unescape
from uuid import UUID

import httpx
from psycopg import sql

from tests.console import signed_in
from tests.crm import Crm, days, wait_until
from tests.outbox import write
from workers import clock
from workers.db.session import Connection, connect
from workers.web.console.views import VIEWS

# The columns that count rows, beside those whose name ends in _count.
COUNTS = ("transitions", "total_quotes", "total_signals", "total_checks")


def file_of(visitor: httpx.Client, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(visitor.get(path).text)))


def history(crm: Crm, tenant: UUID) -> None:
    """Something of everything that happened within the last days."""
    deal = crm.deal(tenant, stage="lead")
    crm.update("deals", deal, stage="qualified")
    crm.update("deals", deal, stage="=won")
    for outcome, amount, competitor in (("lost", 1234.5, "Rival, Inc."), ("won", 99, None), ("won", 20000, None)):
        quote = crm.quote(tenant, deal_id=deal, total_amount=amount, sent_at=clock.now() - days(5))
        crm.one("SELECT record_quote_outcome(%s, %s, 'price', '{}', %s, 90)", quote, outcome, competitor)
    for number, actioned in enumerate((True, False)):
        crm.insert(
            "opportunity_signals", tenant_id=tenant, source_type="email", source_id=crm.deal(tenant),
            signal_type="renewal", signal_strength=0.9, actioned=actioned,
            actioned_at=clock.now() + days(number) if actioned else None,
        )  # fmt: skip
    for status in ("escalated", "completed"):
        crm.check(tenant, crm.client(tenant), status=status, completed_at=clock.now())
    ids = write(crm, tenant, 3, status="sent", sent_at=clock.now() - days(1), sent_to="ann@acme.example")
    crm.insert(
        "inbound_messages", tenant_id=tenant, message_id="<1@x.example>", raw_size=1, kind="reply", text="Yes",
        answer="acceptance", action_id=ids[0], received_at=clock.now(),
    )  # fmt: skip
    crm.execute("UPDATE deal_stage_history SET changed_at = now() - interval '1 hour'")
    crm.execute("UPDATE quote_outcomes SET recorded_at = now() - interval '1 hour'")


def test_page_csv_and_view_say_the_same_and_each_number_leads_to_the_rows_that_it_counts(
    client: httpx.Client, connection: Connection, manager: httpx.Client, crm: Crm, tenant: UUID
) -> None:
    history(crm, tenant)
    overview = manager.get("/console/insight").text
    counted = 0
    for name, view in VIEWS.items():
        rows = crm.rows(f"SELECT * FROM {name} WHERE tenant_id = %s", tenant)  # noqa: S608  # a name of ours
        assert rows, name
        expected = [
            {column: "" if value is None else str(value) for column, value in row.items() if column != "tenant_id"}
            for row in rows
        ]
        got = file_of(manager, f"/console/insight/{name}.csv")
        harmless = [{column: value.removeprefix("'") for column, value in row.items()} for row in got]
        assert sorted(harmless, key=str) == sorted(expected, key=str), name
        assert f'href="/console/insight/{name}?days=90"' in overview
        page = manager.get(f"/console/insight/{name}").text
        for row in rows:
            for column, value in row.items():
                if column == "tenant_id" or value is None:
                    continue
                shown = f"{value:,}" if not isinstance(value, str) else value.replace("_", " ")
                assert re.search(f">{re.escape(shown)}(</a>)?</td>", page), (name, column, shown)
        for way, shown in re.findall(rf'<a href="(/console/insight/{name}/rows\?[^"]*)">([\d,]+)</a>', page):
            of = re.search("of=([a-z_]+)", way)
            if of and (of[1] in COUNTS or of[1].endswith("_count")):
                found = file_of(manager, unescape(way).replace("/rows?", "/rows.csv?"))
                assert len(found) == int(shown.replace(",", "")), way
                counted += 1
        listed = manager.get(f"/console/insight/{name}/rows?{'&'.join(f'{one}={rows[0][one]}' for one in view.label)}")
        first = re.search('<td data-label="[^"]*"><a href="([^"]*)"', listed.text)
        assert first or view.facts == "signals_noticed", name  # a signal may be nobody's
        if first:
            assert manager.get(unescape(first[1])).status_code == 200, first[1]
    assert counted > 30
    stages = [row["to_stage"] for row in file_of(manager, "/console/insight/deal_stage_velocity.csv")]
    assert stages == ["qualified", "'=won"], "in the order of the funnel, and no formula for a spreadsheet"
    with signed_in(client, connection) as operator:
        together = file_of(operator, "/console/insight/deal_stage_velocity.csv")
        assert {row["tenant"] for row in together} == {"Northwind"}
        assert "Northwind" in operator.get("/console/insight/quote_win_rates/rows?of=won_count").text


def test_another_time_shows_what_happened_then_and_the_rows_go_on_page_by_page(
    manager: httpx.Client, crm: Crm, tenant: UUID
) -> None:
    deal = crm.deal(tenant)
    for ago in (10, 60, 200, *[300] * 60):
        crm.insert(
            "deal_stage_history", tenant_id=tenant, deal_id=deal, to_stage="won", changed_at=clock.now() - days(ago)
        )
    path = "/console/insight/deal_stage_velocity"
    day = f"{clock.now() - days(60):%Y-%m-%d}"
    for query, expected in (("days=30", 1), ("", 2), ("days=365", 63), (f"since={day}&until={day}", 1)):
        [row] = file_of(manager, f"{path}.csv?{query}")
        assert row["transitions"] == str(expected), query
    seen = 0
    way: str | None = f"{path}/rows?to_stage=won&of=transitions&days=365"
    while way:
        page = manager.get(way).text
        seen += page.count('<td data-label="title">')
        link = page.partition('rel="next"')[0].rpartition('<a class="button" href="')[2].partition('"')[0]
        way = unescape(link) if 'rel="next"' in page else None
    assert seen == 63
    for wrong in (
        "days=7",
        "since=x&until=x",
        "since=2026-03-02",
        "since=2026-03-02&until=2026-03-01",
        "until=9999-12-31",
    ):
        for place in ("", ".csv", "/rows", "/rows.csv"):
            assert manager.get(f"{path}{place}?{wrong}").status_code == 404, (place, wrong)
    assert manager.get(f"{path}/rows?before=x").status_code == 404
    for name in ("profiles", "profiles.csv", "profiles/rows"):
        assert manager.get(f"/console/insight/{name}").status_code == 404


def test_what_takes_long_is_counted_while_nobody_waits_and_says_when_it_was(
    manager: httpx.Client, crm: Crm, tenant: UUID, database_url: str
) -> None:
    deal = crm.deal(tenant)
    crm.insert("deal_stage_history", tenant_id=tenant, deal_id=deal, to_stage="won", changed_at=clock.now() - days(1))
    path = "/console/insight/deal_stage_velocity"
    with connect(database_url) as slow, slow.transaction():
        slow.execute("LOCK deal_stage_history")  # as if there was very much of it
        assert "it is being counted" in manager.get(path).text
        assert manager.get(f"{path}.csv").status_code == 503
    wait_until(lambda: "Counted <time" in manager.get(path).text, "the count")
    assert file_of(manager, f"{path}.csv")[0]["transitions"] == "1"

    crm.insert("deal_stage_history", tenant_id=tenant, deal_id=deal, to_stage="won", changed_at=clock.now() - days(1))
    assert file_of(manager, f"{path}.csv")[0]["transitions"] == "1", "kept, whatever happens since"
    crm.execute(
        "UPDATE insight_figures SET counted_at = now() - interval '2 hours', asked_at = now() - interval '2 hours'"
    )
    page = manager.get(path).text
    assert "Counted <time" in page
    assert "being counted anew" in page
    wait_until(lambda: file_of(manager, f"{path}.csv")[0]["transitions"] == "2", "the other count")
    crm.execute(
        sql.SQL("UPDATE insight_figures SET counted_at = NULL, figures = NULL, asked_at = now() - interval '1 hour'")
    )
    assert "could not be counted within two minutes" in manager.get(path).text
