"""If these fail, a tenant's settings need SQL, take what cannot work, or change without a trace."""

import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.crm import NOW, Crm
from tests.shell import fleet, one_line
from workers import clock
from workers.engines.registry import all_engines

DOCUMENTED = re.compile(r"^\| `([^`]+)` \| (.+) \| (.+) \|$", re.MULTILINE)


@pytest.fixture
def northwind(crm: Crm) -> UUID:
    return crm.tenant("Northwind")


def shown(database_url: str, tenant: str = "Northwind") -> dict[str, dict[str, Any]]:
    result = fleet(database_url, "settings", "show", "--tenant", tenant, "--json")
    return {row["name"]: row for row in json.loads(result.stdout)}


def test_the_documentation_lists_every_setting_as_the_command_explains_it(crm: Crm) -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "settings.md").read_text().partition("## Per tenant")[2]
    listed = [(row["name"], row["takes"], row["meaning"]) for row in crm.rows("SELECT * FROM tenant_setting_list()")]
    assert DOCUMENTED.findall(text) == listed


def test_every_column_that_holds_a_wish_of_a_tenant_can_be_set(crm: Crm) -> None:
    listed = {(row["table_name"], row["column_name"]) for row in crm.rows("SELECT * FROM tenant_setting_list()")}
    columns = crm.rows(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_name = ANY (%s)",
        [
            "tenant_calendar",
            "tenant_delivery",
            "tenant_letters",
            "engine_settings",
            "deal_stage_config",
            "tenant_quotas",
        ],
    )
    # Keys, marks of when and who; and the zone's other name.
    kept = {"tenant_id", "engine", "stage", "id", "created_at", "live_by", "live_at"}
    others = {(row["table_name"], row["column_name"]) for row in columns if row["column_name"] not in kept}
    assert others - listed == {("tenant_delivery", "time_zone")}


def test_a_new_tenant_shows_what_holds_for_it(crm: Crm, northwind: UUID, database_url: str) -> None:
    settings = shown(database_url)
    assert {
        name: row["value"]
        for name, row in settings.items()
        if not name.startswith(("deals.", "quota.")) and not name.endswith((".cron", ".paused"))
    } == {
        "time_zone": "UTC", "locale": None, "paused": "no", "window_start": "08:00", "window_end": "18:00",
        "send_days": "1,2,3,4,5", "holidays": None, "mails_per_day": "1", "mails_per_week": "2",
        "from_name": None, "from_address": None, "language": None, "currency": None, "postal_address": None,
        "signature": None, "links": "{}", "share_deal_titles": "no", "suggestion_days": "14", "wrote_since": "client",
        "forward_replies_to": None, "phone_region": None, "compliance.mode": "automatic",
        "enrichment.mode": "automatic", "feedback.mode": "automatic", "quotes.mode": "automatic",
    }  # fmt: skip
    assert settings["deals.proposal.max_follow_ups"]["value"] == "7"
    for engine in all_engines():
        assert (settings[f"{engine}.cron"]["value"], settings[f"{engine}.paused"]["value"]) == (None, "no")
    assert (settings["quota.messages"]["value"], settings["quota.messages"]["settable"]) == ("5000", False)
    printed = fleet(database_url, "settings", "show", "--tenant", "Northwind").stdout
    assert "# mail leaves from then on (HH:MM)\nwindow_start=08:00   # default" in printed


def test_what_is_set_holds_and_who_set_it_is_kept(crm: Crm, northwind: UUID, database_url: str) -> None:
    with clock.at(NOW):
        result = fleet(
            database_url, "settings", "set", "--tenant", "Northwind", "time_zone=Europe/Berlin", "paused=yes",
            "deals.mode=review", "deals.Proposal.max_follow_ups=3", "from_address=Care <care@northwind.example>",
            "--by", "olive", "--why", "summer break",
        )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "paused: no -> yes" in result.stdout
    assert "deals.proposal.max_follow_ups: 7 -> 3" in result.stdout
    [delivery] = crm.rows("SELECT * FROM tenant_delivery")
    assert (delivery["paused"], delivery["time_zone"]) == (True, "Europe/Berlin")
    assert crm.rows("SELECT mode FROM engine_settings") == [{"mode": "review"}]
    assert len(crm.rows("SELECT FROM deal_stage_config WHERE stage ILIKE 'proposal'")) == 1

    history = json.loads(fleet(database_url, "settings", "history", "--tenant", "Northwind", "--json").stdout)
    assert {row["decided_by"] for row in history} == {"olive"}
    [paused] = [row for row in history if row["name"] == "paused"]
    assert (paused["before"], paused["after"], paused["why"], paused["decided_at"]) == (
        "no", "yes", "summer break", NOW.isoformat(),
    )  # fmt: skip
    again = fleet(database_url, "settings", "set", "--tenant", "Northwind", "paused=yes")
    assert again.stdout == "nothing was changed: that is how it is\n"
    assert "5 of 5" in fleet(database_url, "settings", "history", "--tenant", "Northwind").stdout


def test_what_stands_in_all_letters_is_set_like_everything_else(crm: Crm, northwind: UUID, database_url: str) -> None:
    links = '{"quote": "https://crm.example/quotes/{id}"}'
    command = ["settings", "set", "--tenant", "Northwind"]
    result = fleet(
        database_url, *command, "postal_address=Kai 1\n20457 Hamburg", f"links={links}", "share_deal_titles=yes",
        "language=de",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    row = crm.one("SELECT * FROM tenant_letters WHERE tenant_id = %s", northwind)
    assert (row["postal_address"], row["language"], row["share_deal_titles"]) == ("Kai 1\n20457 Hamburg", "de", True)
    assert row["links"] == json.loads(links)
    assert json.loads(shown(database_url)["links"]["value"]) == json.loads(links)
    assert fleet(database_url, *command, "links={nothing}").returncode != 0
    fleet(database_url, *command, "links=", "language=", "share_deal_titles=")
    row = crm.one("SELECT * FROM tenant_letters WHERE tenant_id = %s", northwind)
    assert (row["language"], row["share_deal_titles"], row["links"]) == (None, False, {})
    assert row["postal_address"] is not None


def test_an_empty_value_sets_back_to_the_default(crm: Crm, northwind: UUID, database_url: str) -> None:
    command = ["settings", "set", "--tenant", "Northwind"]
    fleet(database_url, *command, "paused=yes", "send_days=6,7", "quotes.mode=off", "deals.lead.max_follow_ups=9")
    result = fleet(database_url, *command, "paused=", "send_days=", "quotes.mode=", "deals.lead.max_follow_ups=")
    assert result.returncode == 0, result.stderr
    settings = shown(database_url)
    assert [settings[name]["value"] for name in ("paused", "send_days", "quotes.mode")] == [
        "no",
        "1,2,3,4,5",
        "automatic",
    ]
    assert settings["deals.lead.max_follow_ups"]["value"] == "5"
    assert crm.rows("SELECT FROM engine_settings") == []


def test_the_ends_of_a_window_are_judged_together(crm: Crm, northwind: UUID, database_url: str) -> None:
    command = ["settings", "set", "--tenant", "Northwind"]
    fleet(database_url, *command, "window_start=08:00", "window_end=10:00")
    assert fleet(database_url, *command, "window_start=12:00", "window_end=18:00").returncode == 0
    assert "this must hold: (window_start < window_end)" in one_line(
        fleet(database_url, *command, "window_start=19:00")
    )


def test_an_engine_that_is_set_to_automatic_says_who_took_it_live(crm: Crm, northwind: UUID, database_url: str) -> None:
    crm.mode(northwind, "deals", "review")
    fleet(database_url, "settings", "set", "--tenant", "Northwind", "deals.mode=automatic", "--by", "olive")
    [row] = crm.rows("SELECT mode, live_by FROM engine_settings")
    assert (row["mode"], row["live_by"]) == ("automatic", "olive")


def test_a_setting_that_changes_another_way_is_noted_as_well(crm: Crm, northwind: UUID, database_url: str) -> None:
    user = crm.profile(northwind, email="una@northwind.example")
    with crm.connection.transaction():
        crm.connection.execute("SELECT set_config('request.jwt.claims', %s, true)", [json.dumps({"sub": str(user)})])
        crm.connection.execute("SET LOCAL ROLE authenticated")
        crm.connection.execute("INSERT INTO tenant_delivery (tenant_id, paused) VALUES (%s, true)", [northwind])
        crm.connection.execute("UPDATE deal_stage_config SET max_follow_ups = 1 WHERE stage = 'lead'")
    crm.mode(northwind, "quotes", "review")
    fleet(database_url, "go-live", "Northwind", "--engine", "quotes", "--by", "olive")
    history = json.loads(fleet(database_url, "settings", "history", "--tenant", "Northwind", "--json").stdout)
    said = {(row["name"], row["before"], row["after"], row["decided_by"]) for row in history}
    assert {
        ("paused", "no", "yes", "una@northwind.example"),
        ("deals.lead.max_follow_ups", "5", "1", "una@northwind.example"),
        ("quotes.mode", "automatic", "review", crm.connection.info.user),
        ("quotes.mode", "review", "automatic", "olive"),
    } == said
    crm.execute(
        "DELETE FROM tenants WHERE id = %s", northwind
    )  # with all that was set, and nobody is stopped by a note


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("window_start=7", 'window_start takes HH:MM, not "7"'),
        ("window_start=25:00", 'window_start takes HH:MM, not "25:00"'),
        ("send_days=Mon-Fri", 'send_days takes days such as 1,2,3,4,5; 1 is Monday, not "Mon-Fri"'),
        ("mails_per_day=0", "this must hold: (mails_per_day >= 1"),
        ("paused=maybe", 'paused takes yes or no, not "maybe"'),
        ("time_zone=Mars/Olympus", 'time zone "Mars/Olympus" not recognized'),
        ("from_address=ann", 'from_address takes an e-mail address, not "ann"'),
        ("from_address=care@contoso.example", "care@contoso.example belongs to another tenant's mail"),
        ("deals.mode=on", 'deals.mode takes automatic, review or off, not "on"'),
        ("deals.lead.max_days_before_stale=9999", "this must hold: (max_days_before_stale >= 1"),
        ("quota.messages=1", "quota.messages is shown here, and is not set here"),
        ("nope=1", "no setting nope"),
        ("dealz.mode=off", "no setting dealz.mode"),
        ("paused", "'paused' is not NAME=VALUE, said once"),
    ],
)
def test_what_cannot_work_is_refused_in_words_and_nothing_is_set(
    crm: Crm, northwind: UUID, database_url: str, value: str, words: str
) -> None:
    other = crm.tenant("Contoso")
    crm.execute("INSERT INTO tenant_mailboxes VALUES ('care@contoso.example', %s)", other)
    refused = fleet(database_url, "settings", "set", "--tenant", "Northwind", "locale=de-DE", value)
    assert words in one_line(refused)
    assert shown(database_url)["locale"]["value"] is None
    assert crm.rows("SELECT FROM fleet_decisions") == []
