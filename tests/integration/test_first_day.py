"""If these fail, an operator goes live without having seen what will be said to whom, or cannot go live."""

import json

from tests.crm import NOW, Crm, stalled_deal
from tests.shell import fleet, one_line

AT = NOW.isoformat()


def contents(crm: Crm) -> list[dict[str, object]]:
    """All that a preview could leave behind."""
    return crm.rows(
        "SELECT (SELECT count(*) FROM scheduled_actions) AS actions, (SELECT count(*) FROM engine_runs) AS runs,"
        " (SELECT array_agg(to_jsonb(d)) FROM deals AS d) AS deals, (SELECT mode FROM fleet_defaults) AS mode"
    )


def test_a_preview_tells_how_much_to_how_many_what_is_refused_and_shows_each_text(crm: Crm, database_url: str) -> None:
    crm.execute("UPDATE fleet_defaults SET mode = 'off'")
    tenant = stalled_deal(crm, title="Ten licences")
    refused = stalled_deal(crm, title="Five licences")
    crm.execute("INSERT INTO suppressions VALUES (%s, 'ann@acme.example', 'asked us to stop')", refused)
    before = contents(crm)
    day = json.loads(fleet(database_url, "preview", "--now", AT, "--json").stdout)
    assert (day["messages"], day["people"], day["tasks"]) == (1, 1, 1)
    assert day["refused"] == {}
    sample, _ = sorted(day["samples"], key=lambda shown: shown["template"])
    assert (sample["template"], sample["to"]) == ("deal_follow_up", "ann@acme.example")
    assert "our offer" in sample["subject"]
    assert {report["engine"] for report in day["engines"]} == {
        "feedback",
        "deals",
        "quotes",
        "enrichment",
        "compliance",
    }

    shown = fleet(database_url, "preview", "--now", AT, "--tenant", str(tenant)).stdout
    assert "the first day: 1 messages to 1 people, 0 tasks, 0 cases; 0 would be refused" in shown
    assert all(f"    {line}".rstrip() in shown.splitlines() for line in sample["body"].split("\n"))
    assert contents(crm) == before


def test_going_live_says_what_starts_and_what_still_waits_for_a_person(crm: Crm, database_url: str) -> None:
    crm.execute("UPDATE fleet_defaults SET mode = 'review'")
    tenant = str(stalled_deal(crm))
    crm.run("deals")
    crm.mode(crm.rows("SELECT id FROM tenants")[0]["id"], "feedback", "off")
    crm.execute("SELECT stop_tenant(%s, 'compliance', 'audit', 'ann')", tenant)
    said = fleet(database_url, "go-live", tenant, "--by", "ann").stdout.splitlines()
    assert said == [
        f"live for {tenant}: deals, enrichment, quotes; each starts with its next slot",
        "compliance is stopped by the operator, and starts after `fleet tenants resume`",
        "feedback is switched off for this tenant, and starts if it is named with --engine",
        "1 suggested before stay to be approved: fleet actions list --status suggested",
    ]
    assert [action["status"] for action in crm.actions()] == ["suggested"]
    assert fleet(database_url, "go-live", tenant, "--engine", "feedback").stdout.splitlines() == [
        f"live for {tenant}: feedback; each starts with its next slot"
    ]
    assert "no engine 'dealz'" in one_line(fleet(database_url, "go-live", tenant, "--engine", "dealz"))
    assert "no tenant 'Nobody'" in one_line(fleet(database_url, "go-live", "Nobody"))
