"""If these fail, a simulation leaves something behind, is in somebody's way, or says now this and now that."""

import json
import threading
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from psycopg import sql

from tests.apollo import waiting
from tests.crm import NOW, Crm, days, stalled_deal, wait_until
from tests.provider_server import ProviderServer
from tests.quarter import SINCE, two_tenants
from tests.shell import fleet, one_line
from tests.webhooks import certificate, endpoint, receiving
from workers.db.session import connect
from workers.settings import settings
from workers.simulate.course import simulate
from workers.simulate.giving_way import GaveWayError
from workers.simulate.outcome import Entry
from workers.simulate.plan import Plan

FROM_TO = ("--from", SINCE.isoformat(), "--to", (SINCE + days(5)).isoformat())


def every_row(crm: Crm) -> dict[str, str | None]:
    """A checksum of each table."""
    tables = crm.rows(
        "SELECT relname::text AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    checksum = "SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) AS sum FROM {} AS t"
    return {row["name"]: crm.one(sql.SQL(checksum).format(sql.Identifier(row["name"])))["sum"] for row in tables}


def counts(entries: list[Entry], what: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for entry in entries:
        if entry.what == what:
            found[entry.detail] += entry.n
    return found


def test_nothing_is_left_behind(crm: Crm, database_url: str) -> None:
    plan = Plan(SINCE, SINCE + days(5), two_tenants(crm), {"mails_per_day": "3"}, reply_rate=0.5)
    before = every_row(crm)
    outcome = simulate(crm.connection, plan)
    assert counts(outcome.entries, "message").total() > 10
    assert every_row(crm) == before
    assert not (settings().fleet_home / "mail").exists()
    with connect(database_url) as another:
        locks = another.execute(
            "SELECT FROM pg_locks WHERE pid = %s AND locktype <> 'virtualxid'", [crm.connection.info.backend_pid]
        )
        assert locks.fetchall() == []


def test_the_same_seed_gives_the_same_report_to_the_last_byte_and_another_one_other_answers(
    crm: Crm, database_url: str
) -> None:
    two_tenants(crm)

    def simulated(seed: str) -> str:
        result = fleet(database_url, "simulate", *FROM_TO, "--json", "--reply-rate", "0.5", "--seed", seed)
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout

    first = simulated("1")
    crm.connection.execute("VACUUM FULL")  # rows lie elsewhere now, and are found in another order
    assert simulated("1") == first
    answers, others = (
        [row for row in json.loads(report)["entries"] if row["what"] == "answer"] for report in (first, simulated("2"))
    )
    assert answers != others


def test_a_report_adds_up_by_day_engine_tenant_and_person(crm: Crm, database_url: str) -> None:
    two_tenants(crm)
    report = json.loads(fleet(database_url, "simulate", *FROM_TO, "--json").stdout)
    assert report["from"] == SINCE.isoformat()
    total = report["total"]
    assert total["messages"] > 10
    for rows in ("days", "weeks", "engines", "tenants", "people"):
        assert sum(row["messages"] for row in report[rows]) == total["messages"], rows
    for rows in ("days", "engines", "tenants", "colleagues"):
        assert sum(row["tasks"] for row in report[rows]) == total["tasks"], rows
    assert total["people"] == len([row for row in report["people"] if row["messages"]])
    assert {row["engine"]: row["slots"] for row in report["engines"]}["deals"] == 20, "10 in each of two zones"
    steps = {row["text"] for row in report["texts"] if row["what"] == "message"}
    assert {"deal follow up, step 1", "deal follow up, step 2", "quote follow up, step 1", "feedback request"} <= steps
    assert {"deals", "quotes", "feedback", "compliance"} <= {row["about"] for row in report["state"]}


def test_other_settings_are_compared_day_by_day_and_not_kept(crm: Crm, database_url: str) -> None:
    tenant = stalled_deal(crm, stage="proposal", last_activity_at=NOW - days(6))
    before = every_row(crm)
    changed = ("--set", "deals.proposal.max_days_before_stale=10", "--set", "deals.proposal.max_follow_ups=1")
    both = json.loads(fleet(database_url, "simulate", *FROM_TO, "--json", *changed).stdout)
    assert both["today"]["total"]["messages"] > 0
    assert both["changed"]["settings"] == {
        "deals.proposal.max_days_before_stale": "10", "deals.proposal.max_follow_ups": "1"
    }  # fmt: skip
    first, *_ = both["difference"]["days"]
    assert (first["day"], first["messages"]) == ("2026-03-02", -1)
    assert both["difference"]["tenants"][0]["tenant_id"] == str(tenant)
    fewer = both["changed"]["total"]["messages"] - both["today"]["total"]["messages"]
    assert (
        sum(row["messages"] for row in both["difference"]["days"]) == fewer == both["difference"]["total"]["messages"]
    )
    assert every_row(crm) == before

    printed = fleet(database_url, "simulate", *FROM_TO, *changed).stdout
    assert "2026-03-02" in printed
    assert "today's settings: " in printed
    same = fleet(database_url, "simulate", *FROM_TO, "--set", "deals.proposal.max_days_before_stale=5").stdout
    assert "the settings make no difference" in same


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "nonsense=1"], "no setting nonsense (`fleet settings show` lists them)"),
        (["--set", "mails_per_day=many"], 'mails_per_day takes a number, not "many"'),
        (["--set", "mails_per_day"], "'mails_per_day' is not NAME=VALUE, said once"),
        (["--set", "quota.messages=9"], "quota.messages is shown here, and is not set here"),
        (["--tenant", "Nobody"], "no tenant 'Nobody' (`fleet tenants` lists them)"),
        (["--from", "2026-03-02", "--to", "2026-03-02"], "--to 2026-03-02T00:00:00+00:00 is not after --from"),
        (["--from", "soon"], "--from 'soon' is no ISO 8601 instant"),
        ([*FROM_TO, "--plot", "/nowhere/plot.svg"], "cannot write /nowhere/plot.svg: No such file or directory"),
    ],
)
def test_what_cannot_be_simulated_is_said_in_one_line(
    arguments: list[str], said: str, crm: Crm, database_url: str
) -> None:
    crm.tenant()
    assert said in one_line(fleet(database_url, "simulate", *arguments))


def test_a_database_without_tenants_has_nothing_to_simulate(database_url: str) -> None:
    assert "there is no tenant yet" in one_line(fleet(database_url, "simulate"))


def test_only_the_named_tenants_are_worked_for(crm: Crm, database_url: str) -> None:
    two_tenants(crm)
    report = json.loads(fleet(database_url, "simulate", *FROM_TO, "--json", "--tenant", "Sakura").stdout)
    assert {row["tenant"] for row in report["tenants"]} == {row["tenant"] for row in report["state"]} == {"Sakura"}
    assert report["total"]["messages"] > 0


def test_a_person_reads_who_gets_what_and_why_others_get_nothing(crm: Crm, database_url: str, tmp_path: Path) -> None:
    two_tenants(crm)
    picture = tmp_path / "plot.svg"
    result = fleet(database_url, "simulate", *FROM_TO, "--plot", str(picture))
    assert result.returncode == 0
    for text in ("2026-03-02", "Northwind", "Olive Owner", "deal follow up, step 1", "the mailbox has its e-mails"):
        assert text in result.stdout
    assert "at most 1 to one of them in a day" in result.stdout
    assert "3 wait for a person's approval at the end" in result.stdout
    assert result.stdout.endswith("nothing was changed\n")
    assert picture.read_text().count('fill="#4472a8"') == 1 + 5  # what they are, and a bar for each day


def test_who_waits_for_a_row_of_a_simulation_waits_a_moment_and_the_simulation_ends(
    crm: Crm, database_url: str
) -> None:
    tenant = stalled_deal(crm)
    before = every_row(crm)
    written = threading.Event()

    def the_crm_writes() -> None:
        with connect(database_url) as another:
            another.execute("UPDATE deals SET title = 'Twenty licences'")
        written.set()

    def meanwhile(now: datetime) -> None:
        if now > NOW:  # the deal has been followed up: its row is held
            threading.Thread(target=the_crm_writes).start()
            wait_until(written.is_set, "the CRM's update", seconds=10)

    with connect(database_url) as ours, pytest.raises(GaveWayError, match="simulate on a copy of the database"):
        simulate(ours, Plan(SINCE, SINCE + days(5), [tenant]), meanwhile, give_way=database_url)
    assert [row["title"] for row in crm.rows("SELECT title FROM deals")] == ["Twenty licences"]
    changed = {name for name, sum_ in every_row(crm).items() if sum_ != before[name]}
    assert changed == {"deals"}


def test_no_lock_is_kept_for_each_mailbox_that_was_written_to(crm: Crm, database_url: str) -> None:
    kept = []
    with connect(database_url) as another:
        pid = crm.connection.info.backend_pid

        def count(_: datetime) -> None:
            kept.append(
                another.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = %s", [pid]).rowcount
            )

        outcome = simulate(crm.connection, Plan(SINCE, SINCE + days(1), two_tenants(crm)), count)
    assert counts(outcome.entries, "message").total() > 5
    assert set(kept) == {0}


def test_what_a_quota_holds_back_leaves_when_there_is_room(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.open_always(tenant)
    crm.execute("INSERT INTO tenant_quotas (tenant_id, messages) VALUES (%s, 1)", tenant)
    for n in range(3):
        crm.deal(tenant, contact_id=crm.contact(tenant, email=f"{n}@acme.example"))
    outcome = simulate(crm.connection, Plan(NOW, NOW + days(4), [tenant]))
    written = [(entry.day.day, entry.n) for entry in outcome.entries if entry.what == "message"]
    assert written == [(2, 1), (3, 1), (4, 1), (5, 1)]


def test_what_is_tried_again_is_tried_at_the_same_moments_in_every_simulation(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.open_always(tenant)
    crm.action(tenant, variables={})  # its text cannot be written without them
    moments: list[list[datetime]] = [[], []]
    for one in moments:
        simulate(crm.connection, Plan(NOW, NOW + days(1), [tenant]), one.append)
    assert moments[0] == moments[1]


def test_suggestions_that_nobody_approves_expire_as_they_will(crm: Crm) -> None:
    tenant = stalled_deal(crm)
    crm.mode(tenant, "deals", "review")
    outcome = simulate(crm.connection, Plan(SINCE, SINCE + days(16), [tenant]))
    assert counts(outcome.entries, "message") == {}
    assert counts(outcome.entries, "refused") == {"nobody approved its message within 14 days": 1}


def test_nobody_outside_is_asked(crm: Crm, apollo: ProviderServer) -> None:
    tenant = crm.tenant()
    waiting(crm, tenant, 2)
    outcome = simulate(crm.connection, Plan(SINCE, SINCE + days(1), [tenant]))
    assert apollo.calls == []
    assert [(row["about"], row["state"], row["n"]) for row in outcome.state] == [("enrichment", "pending", 2)]


def test_no_webhook_is_called(crm: Crm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    monkeypatch.setenv("FLEET_WEBHOOK_ALLOW_PRIVATE", "true")
    settings.cache_clear()
    tenant = stalled_deal(crm)
    with receiving(pem) as receiver:
        endpoint(crm, tenant, f"{receiver.url}/hook")
        outcome = simulate(crm.connection, Plan(SINCE, SINCE + days(2), [tenant]))
        assert receiver.calls == []
    assert counts(outcome.entries, "message") == {"deal follow up, step 1": 1}


def test_what_the_crm_refuses_keeps_nothing_else_from_being_simulated(crm: Crm) -> None:
    tenant = stalled_deal(crm)
    crm.deal(tenant, title="forbidden", contact_id=crm.contact(tenant, email="bo@acme.example"))
    crm.execute("ALTER TABLE deals ADD CONSTRAINT frozen CHECK (title <> 'forbidden') NOT VALID")
    outcome = simulate(crm.connection, Plan(SINCE, SINCE + days(2), [tenant]))
    assert counts(outcome.entries, "message") == {"deal follow up, step 1": 1}
    assert counts(outcome.entries, "passed over")["refused by the CRM, set aside for a day"] == 2


def test_what_fails_for_a_tenant_is_in_the_report(crm: Crm, database_url: str) -> None:
    stalled_deal(crm)
    crm.connection.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'not now' USING ERRCODE = 'io_error'; END $$"
    )
    crm.execute("CREATE TRIGGER refuse BEFORE INSERT ON scheduled_actions FOR EACH ROW EXECUTE FUNCTION refuse()")
    result = fleet(database_url, "simulate", *FROM_TO)
    assert result.returncode == 1
    assert "deals failed for Northwind, 10 times: IoError: not now" in result.stdout
    assert result.stderr == ""
