"""If these fail, the console shows something else than the command line, or does something else than was pressed."""

import re
from collections.abc import Iterator
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from tests.console import signed_in
from tests.crm import Crm, days, stalled_deal, wait_until
from tests.outbox import write
from tests.shell import fleet
from workers import clock
from workers.db.session import Connection
from workers.engines.registry import all_engines
from workers.settings import settings

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


@pytest.fixture
def operator(client: httpx.Client, connection: Connection) -> Iterator[httpx.Client]:
    with signed_in(client, connection) as visitor:
        yield visitor


def statuses(crm: Crm) -> list[str]:
    return [row["status"] for row in crm.rows("SELECT status FROM scheduled_actions ORDER BY id")]


def test_what_cannot_be_kept_in_the_trail_is_not_done(manager: httpx.Client, crm: Crm, tenant: UUID) -> None:
    [action] = write(crm, tenant, status="suggested")
    crm.execute("ALTER TABLE console_audit ADD CONSTRAINT closed CHECK (what <> 'approve')")
    form = {"decision": "approve", "ids": str(action)}
    assert manager.post("/console/actions/decide", data=form).status_code == 500
    assert statuses(crm) == ["suggested"]


def test_in_bulk_the_meaning_is_shown_first_and_only_what_was_shown_is_decided(
    manager: httpx.Client, crm: Crm, tenant: UUID
) -> None:
    ids = write(crm, tenant, 3, status="suggested", run_at=clock.now())
    form = {"filter": "engine=deals", "all": "1", "decision": "approve", "back": "/console/actions?engine=deals"}
    page = manager.post("/console/actions/preview", data=form).text
    assert "Approve 3 actions?" in page
    assert "3 messages to 1 person" in page
    assert statuses(crm) == ["suggested"] * 3
    write(crm, tenant, status="suggested", run_at=clock.now())  # written meanwhile

    answer = manager.post(
        "/console/actions/decide",
        data={"ids": ",".join(map(str, ids)), "decision": "approve", "back": form["back"], "why": "looked at"},
    )

    assert answer.headers["Location"] == "/console/actions?engine=deals&done=approve&n=3"
    assert "3 approved." in manager.get(answer.headers["Location"]).text
    assert statuses(crm) == ["scheduled"] * 3 + ["suggested"]
    notes = crm.rows("SELECT DISTINCT decided_by, why FROM fleet_decisions WHERE about = 'action'")
    assert notes == [{"decided_by": "olive@northwind.example", "why": "looked at"}]


def test_what_was_decided_meanwhile_is_not_decided_again(manager: httpx.Client, crm: Crm, tenant: UUID) -> None:
    [one] = write(crm, tenant, status="sent", sent_at=clock.now())
    for decision in ("approve", "cancel", "retry"):
        answer = manager.post("/console/actions/decide", data={"ids": str(one), "decision": decision})
        assert answer.status_code == 409
    assert "None of the 1 chosen action" in manager.post(
        "/console/actions/preview", data={"ids": str(one), "decision": "cancel"}
    ).text  # fmt: skip
    for ids in ("x", "1,2,x", "-1", "9" * 30):
        assert manager.post("/console/actions/decide", data={"ids": ids, "decision": "cancel"}).status_code == 400
    assert statuses(crm) == ["sent"]


def test_the_list_is_paged_without_gaps_and_filters_as_the_command_line_does(
    manager: httpx.Client, crm: Crm, tenant: UUID, database_url: str
) -> None:
    ids = write(crm, tenant, 120, run_at=clock.now())
    crm.execute("UPDATE scheduled_actions SET status = 'dead', last_error = '550 full' WHERE id = %s", ids[7])
    ids = [
        row["id"] for row in crm.rows("SELECT id FROM scheduled_actions ORDER BY id")
    ]  # and the task about the dead one
    seen: list[int] = []
    path: str | None = "/console/actions"
    while path:
        page = manager.get(path).text
        seen += [int(part.partition('"')[0]) for part in page.split('name="ids" value="')[1:]]
        older = page.partition('rel="next"')[0].rpartition('<a class="button" href="')[2].partition('"')[0]
        path = older.replace("&amp;", "&") if 'rel="next"' in page else None
    assert seen == sorted(ids, reverse=True)
    assert "121 actions" in manager.get("/console/actions").text
    subject = crm.rows("SELECT subject_id FROM scheduled_actions WHERE id = %s", ids[7])[0]["subject_id"]
    for query in (
        "status=dead", "error=550", "contact=ann%40acme.example&status=dead", "engine=deals&status=dead",
        f"subject={subject}&status=dead",
    ):  # fmt: skip
        page = manager.get(f"/console/actions?{query}").text
        assert page.count('name="ids"') == 1, query
        assert f'value="{ids[7]}"' in page
    today, tomorrow = (f"{clock.now() + days(n):%Y-%m-%d}" for n in (0, 1))
    assert 'name="ids"' in manager.get(f"/console/actions?since={today}&until={today}").text
    assert 'name="ids"' not in manager.get(f"/console/actions?since={tomorrow}").text
    listed = fleet(database_url, "actions", "list", "--status", "dead", "--json").stdout
    assert f'"action_id": {ids[7]}' in listed


@pytest.mark.parametrize("query", ["status=x", "engine=x", "contact=x", "subject=x", "since=x", "until=9999-12-31"])
def test_a_filter_that_cannot_be_understood_is_said_and_shows_nothing(
    manager: httpx.Client, crm: Crm, tenant: UUID, query: str
) -> None:
    write(crm, tenant)
    page = manager.get(f"/console/actions?{query}")
    assert page.status_code == 200
    assert 'role="alert"' in page.text
    assert 'name="ids"' not in page.text


def test_an_action_is_shown_as_its_reader_sees_it_and_its_link_out_is_not_given_away(
    manager: httpx.Client, crm: Crm, tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_PUBLIC_URL", "https://mail.northwind.example")
    settings.cache_clear()
    [one] = write(crm, tenant, status="suggested", run_at=clock.now())
    page = manager.get(f"/console/actions/{one}").text
    assert f'sandbox="" title="The letter as its reader sees it" src="/console/actions/{one}/letter"' in page
    letter = manager.get(f"/console/actions/{one}/letter")
    assert "Ten licences" in letter.text or "Hello Ann" in letter.text
    assert "sandbox" in letter.headers["Content-Security-Policy"]
    assert "https://mail.northwind.example/unsubscribe/…" in letter.text


def test_an_edited_text_and_time_are_what_leaves(manager: httpx.Client, crm: Crm, tenant: UUID) -> None:
    [one] = write(crm, tenant, status="suggested", run_at=clock.now())
    crm.execute("INSERT INTO tenant_calendar (tenant_id, time_zone) VALUES (%s, 'Europe/Berlin')"
                " ON CONFLICT (tenant_id) DO UPDATE SET time_zone = excluded.time_zone", tenant)  # fmt: skip
    form = {"subject": "Another", "body": "Other\r\nwords", "run_at": "2031-01-02T09:30", "why": "kinder"}
    assert manager.post(f"/console/actions/{one}/edit", data=form).status_code == 303
    row = crm.actions(id=one)[0]
    assert row["variables"]["edited"] == {"subject": "Another", "body": "Other\nwords"}
    assert row["run_at"].isoformat() == "2031-01-02T08:30:00+00:00"
    assert "kinder" in manager.get(f"/console/actions/{one}").text
    empty = manager.post(f"/console/actions/{one}/edit", data=form | {"body": " "})
    assert (empty.status_code, "a message needs a subject and a text" in empty.text) == (400, True)


def test_a_timeline_says_what_fleet_explain_says_and_stops_what_waits(
    manager: httpx.Client, crm: Crm, tenant: UUID, database_url: str
) -> None:
    [one] = write(crm, tenant, run_at=clock.now() + days(1))
    deal = crm.actions(id=one)[0]["subject_id"]
    path = manager.get("/console/find", params={"q": str(deal)}).headers["Location"]
    page = manager.get(path).text
    said = fleet(database_url, "explain", str(deal)).stdout
    sentence = next(line for line in said.splitlines() if "leaves for ann@acme.example" in line)
    assert sentence.partition("  ")[2].strip().split("  ")[-1].replace('"', "&#34;") in page
    assert manager.post(path, data={"act": "stop", "why": " "}).status_code == 400

    assert manager.post(path, data={"act": "stop", "why": "they called"}).status_code == 303

    assert statuses(crm) == ["cancelled"]
    assert "cancelled by olive@northwind.example: they called" in manager.get(path).text


def test_an_operator_starts_an_engine_through_the_ledger(operator: httpx.Client, crm: Crm) -> None:
    stalled_deal(crm, last_activity_at=clock.now() - days(9))
    crm.execute("UPDATE fleet_defaults SET mode = 'automatic'")
    assert operator.post("/console/runs", data={"engine": "deals"}).status_code == 303
    wait_until(lambda: crm.rows("SELECT FROM engine_runs WHERE status = 'succeeded'"), "the run")
    assert len(crm.rows("SELECT FROM scheduled_actions")) == 1
    operator.post("/console/runs", data={"engine": "deals"})  # the slot is worked: it is a run beside the timetable
    wait_until(lambda: crm.rows("SELECT FROM engine_runs WHERE slot IS NULL AND status = 'succeeded'"), "the other")
    assert len(crm.rows("SELECT FROM scheduled_actions")) == 1
    page = operator.get("/console/runs").text
    assert page.count("succeeded</span>") == 2
    assert operator.post("/console/runs", data={"engine": "nothing"}).status_code == 404
    assert operator.get("/console/runs?engine=nothing").status_code == 404


def test_what_other_limits_would_mean_is_told_before_they_are_set(
    manager: httpx.Client, crm: Crm, tenant: UUID
) -> None:
    client = crm.client(tenant)
    for stage, silent in (("lead", 1), ("lead", 10), ("proposal", 1), ("proposal", 400)):
        deal = crm.deal(tenant, client_id=client, stage=stage)
        crm.execute("UPDATE deals SET last_activity_at = %s WHERE id = %s", clock.now() - days(silent), deal)
    crm.execute("UPDATE deals SET next_follow_up_at = %s WHERE stage = 'lead'", clock.now() + days(2))
    limits = {"deals.lead.max_days_before_stale": "3", "deals.lead.follow_up_interval_days": "2"}
    crm.execute("UPDATE deal_stage_config SET max_follow_ups = 99")
    before = crm.rows("SELECT * FROM deal_stage_config")

    # Both leads from the day after tomorrow on, each second day, the proposal in four days; the long silent one never.
    page = manager.post("/console/settings/what-if", data=limits).text
    assert "44 follow-ups within 30 days, as today." in page
    page = manager.post("/console/settings/what-if", data=limits | {"deals.lead.follow_up_interval_days": "7"}).text
    assert "24 instead of 44 follow-ups</strong> within 30 days: lead 10 instead of 30" in " ".join(page.split())
    assert 'value="7"' in page
    assert (
        "takes a number" in manager.post("/console/settings/what-if", data=limits | {next(iter(limits)): "many"}).text
    )
    assert crm.rows("SELECT * FROM deal_stage_config") == before


def test_a_tenant_sees_when_its_engines_begin_by_its_own_timetable(
    manager: httpx.Client, crm: Crm, tenant: UUID, database_url: str
) -> None:
    set_own = ("settings", "set", "deals.cron=0 5 * * *", "--tenant", "Northwind")
    assert fleet(database_url, *set_own).returncode == 0
    page = manager.get("/console/runs?engine=deals").text
    assert len(re.findall(r" 05:00 [A-Z]+</time></li>", page)) == 10
    assert page.count("<ol class") == 1
    assert manager.get("/console/runs").text.count("<ol class") == len(all_engines())


def test_settings_are_set_whole_or_not_at_all_and_who_set_them_is_shown(
    manager: httpx.Client, crm: Crm, tenant: UUID, database_url: str
) -> None:
    wrong = manager.post("/console/settings", data={"mails_per_day": "4", "mails_per_week": "many"})
    assert wrong.status_code == 400
    assert "mails_per_week takes a number" in wrong.text
    assert 'value="many"' in wrong.text, "what was written must not be lost"
    assert "mails_per_day=1" in fleet(database_url, "settings", "show", "--tenant", "Northwind").stdout

    right = manager.post(
        "/console/settings", data={"mails_per_day": "4", "deals.mode": "off", "why": "summer", "quota.messages": "9"}
    )

    assert right.headers["Location"] == "/console/settings?done=changed&n=2"
    shown = fleet(database_url, "settings", "show", "--tenant", "Northwind").stdout
    assert "mails_per_day=4" in shown
    assert "deals.mode=off" in shown
    assert "olive@northwind.example: summer" in manager.get("/console/settings").text

    lines = {"postal_address": "1 Quay Street\r\nBristol", "mails_per_day": "4"}
    assert manager.post("/console/settings", data=lines).headers["Location"].endswith("done=changed&n=1")
    assert "1 Quay Street\nBristol</textarea>" in manager.get("/console/settings").text
    assert manager.post("/console/settings", data=lines).headers["Location"].endswith("done=nothing&n=1"), "as it is"


def test_words_suppressions_and_contradictions_are_decided_here_as_by_command(
    manager: httpx.Client, crm: Crm, tenant: UUID, database_url: str
) -> None:
    crm.deal(tenant, stage="Pitched again")
    assert "Pitched again" in manager.get("/console/words").text
    manager.post("/console/words", data={"kind": "deal_stage", "word": "Pitched again", "meaning": "open"})
    assert "pitched" in fleet(database_url, "words", "list").stdout
    assert manager.post("/console/words", data={"kind": "deal_stage", "word": "x", "meaning": "y"}).status_code == 400
    assert (
        manager.post("/console/words", data={"kind": "deal_stage", "word": "!", "meaning": "open"}).status_code == 400
    )

    manager.post("/console/suppressions", data={"address": "Ann@acme.example", "why": "asked by phone"})
    assert "asked by phone" in fleet(database_url, "suppressions", "list").stdout
    assert "asked by phone" in manager.get("/console/suppressions?address=ann%2Bx%40acme.example").text
    gone = manager.post("/console/suppressions/removed", data={"address": "ann@acme.example", "why": "wants it"})
    assert gone.status_code == 303
    assert crm.rows("SELECT FROM suppressions") == []
    assert manager.post("/console/suppressions", data={"address": "ann", "why": "x"}).status_code == 400


def test_who_is_forgotten_is_forgotten_in_the_trail_too(
    manager: httpx.Client, crm: Crm, tenant: UUID, database_url: str
) -> None:
    manager.post("/console/suppressions", data={"address": "Ann+x@acme.example", "why": "asked"})
    write(crm, tenant, run_at=clock.now() + days(1))
    path = manager.get("/console/find", params={"q": "ann@acme.example"}).headers["Location"]
    manager.post(path, data={"act": "stop", "why": "asked"})
    assert fleet(database_url, "forget", "ann@acme.example", "--why", "asked", "--yes").returncode == 0
    rows = crm.rows("SELECT what, item FROM console_audit ORDER BY id")
    assert [row["what"] for row in rows] == ["signs in", "suppresses", "stop"]
    assert "acme" not in str(rows)


@pytest.mark.parametrize("value", ["\0", "\ud800", "9" * 5000, "-1", "٣", "//[", "%", "'; DROP TABLE deals; --"])
def test_no_value_breaks_a_page(operator: httpx.Client, crm: Crm, tenant: UUID, value: str) -> None:
    written = quote(value, errors="surrogatepass")
    fields = ("q", "before", "contact", "error", "since", "engine", "status", "until", "address", "done", "n")
    for path in ("/console/actions", "/console/find", "/console/runs", "/console/suppressions", "/console/"):
        for field in fields:
            answer = operator.get(f"{path}?{field}={written}")
            assert answer.status_code < 500, (path, field, answer.text)
    for path in (
        "actions/decide",
        "actions/preview",
        "conflicts",
        "words",
        "suppressions",
        "settings",
        "answers",
        "tenant",
    ):
        names = (
            "ids",
            "decision",
            "filter",
            "all",
            "back",
            "next",
            "kind",
            "word",
            "tenant",
            "address",
            "why",
            "message",
        )
        body = "&".join(f"{name}={written}" for name in names)
        answer = operator.post(
            f"/console/{path}", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
        )
        assert answer.status_code < 500, (path, answer.text)
    assert operator.get(f"/console/actions/{'9' * 30}").status_code in (400, 404)
    assert operator.get(f"/console/timeline/{written}/deal/{written}").status_code in (400, 404)


def test_whatever_strangers_write_is_shown_as_text(operator: httpx.Client, crm: Crm, connection: Connection) -> None:
    tenant = crm.tenant(HOSTILE)
    client = crm.client(tenant, company_name=HOSTILE)
    contact = crm.contact(tenant, client, first_name=HOSTILE)
    deal = crm.deal(tenant, client_id=client, contact_id=contact, title=HOSTILE, stage=HOSTILE)
    [one] = write(
        crm, tenant, contact_id=contact, subject_id=deal, status="dead", last_error=HOSTILE, run_at=clock.now()
    )
    crm.execute("INSERT INTO suppressions VALUES (%s, %s, %s)", tenant, f"{HOSTILE}@x.example", HOSTILE)
    crm.insert(
        "inbound_messages", tenant_id=tenant, message_id="<1@x.example>", raw_size=1, kind="reply", subject=HOSTILE,
        text=HOSTILE, from_name=HOSTILE, from_address="ann@acme.example", received_at=clock.now(), action_id=one,
    )  # fmt: skip
    crm.execute(
        "UPDATE scheduled_actions SET variables = variables || jsonb_build_object('edited',"
        " jsonb_build_object('subject', %s::text, 'body', %s::text))",
        HOSTILE, HOSTILE,
    )  # fmt: skip
    found = operator.get("/console/find", params={"q": str(deal)}).headers["Location"]
    paths = ["/console/", "/console/actions", f"/console/actions/{one}", f"/console/actions/{one}/edit", found,
             f"/console/actions/{one}/letter", "/console/words", "/console/suppressions", "/console/insight",
             "/console/runs"]  # fmt: skip
    paths += [
        f"/console/find?q={HOSTILE}",
        f"/console/actions?error={HOSTILE}",
        f"/console/suppressions?address={HOSTILE}",
    ]
    for path in paths:
        page = operator.get(path).text
        assert "<script>alert" not in page, path
        assert "<img" not in page, path
    shown = [path for path in paths if "&lt;script&gt;" in operator.get(path).text]
    assert len(shown) >= len(paths) - 1, set(paths) - set(shown)
