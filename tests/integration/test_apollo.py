"""If these fail, Apollo is paid twice, asked against its limits, or what it says is lost."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.apollo import ANN, KEY, apollo_says, queue, spent, waiting
from tests.crm import NOW, Crm
from tests.provider_server import Call, ProviderServer, Said
from workers import clock
from workers.cli import app
from workers.db.session import connect
from workers.engines.enrichment.lookups import ask_providers
from workers.providers import http
from workers.providers.apollo import Apollo
from workers.providers.base import Answer, Found, NoMatch, Outcome, Refused, Request, Unavailable
from workers.settings import settings


def lookup(server: ProviderServer, *requests: Request, key: str = KEY) -> list[Outcome]:
    with clock.at(NOW):
        return list(Apollo(server.url, key).lookup(requests or [Request("ann@acme.example")]).outcomes)


def unavailable(outcome: Outcome) -> Unavailable:
    assert isinstance(outcome, Unavailable)
    return outcome


def test_a_match_fills_the_contact_and_says_where_from(crm: Crm, apollo: ProviderServer) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant, crm.client(tenant), first_name="Ann", last_name="Archer")
    row = crm.enrichment(tenant, contact_id=contact, source="apollo", extracted_data=None)

    report = crm.run("enrichment")

    filled = crm.row("contacts", contact)
    assert (filled["title"], filled["mobile"], filled["phone"]) == ("CTO", "+4581234567", None)
    assert filled["linkedin_url"] == "http://www.linkedin.com/in/annarcher"
    assert (queue(crm, row)["status"], queue(crm, row)["merged_to_contact_id"]) == ("completed", contact)
    (call,) = apollo.calls
    assert call.path == "/api/v1/people/bulk_match"
    assert call.payload["details"] == [
        {"email": "ann@acme.example", "first_name": "Ann", "last_name": "Archer", "organization_name": "Acme"}
    ]
    assert report.tally.acted["apollo found"] == 1


def test_ten_people_go_into_one_call_and_nulls_stay_with_their_person(crm: Crm, apollo: ProviderServer) -> None:
    tenant = crm.tenant()
    known, unknown = waiting(crm, tenant, 12), waiting(crm, tenant, 3, "nowhere.example")

    crm.run("enrichment")

    assert sorted(len(call.payload["details"]) for call in apollo.calls) == [5, 10]
    assert {queue(crm, row)["status"] for row in known} == {"completed"}
    assert {(queue(crm, row)["status"], queue(crm, row)["error_message"]) for row in unknown} == {
        ("skipped", "no match")
    }
    assert spent(crm) == [12]


def test_what_is_asked_about_holds_no_lock_meanwhile(crm: Crm, apollo: ProviderServer, database_url: str) -> None:
    tenant = crm.tenant()
    (row,) = waiting(crm, tenant, 1)
    seen: list[tuple[str, int]] = []

    def look(call: Call) -> Said:
        with connect(database_url) as other:
            held = other.execute("SELECT id FROM contact_enrichment_queue FOR UPDATE NOWAIT").fetchall()
            other.execute("SELECT id FROM contacts FOR UPDATE NOWAIT")
            status = other.execute("SELECT status FROM contact_enrichment_queue").fetchone()
            seen.append((status["status"] if status else "", len(held)))
        return apollo_says(call)

    apollo.answer = look
    crm.run("enrichment")

    assert seen == [("processing", 1)]
    assert queue(crm, row)["status"] == "completed"


def test_without_a_key_the_row_says_so_and_nobody_is_asked(crm: Crm) -> None:
    tenant = crm.tenant()
    (row,) = waiting(crm, tenant, 1)
    crm.run("enrichment")
    assert (queue(crm, row)["status"], queue(crm, row)["error_message"]) == (
        "skipped",
        "apollo is off: APOLLO_API_KEY is not set",
    )


def test_nobody_is_asked_about_a_stranger(crm: Crm, apollo: ProviderServer) -> None:
    row = crm.enrichment(crm.tenant(), source="apollo", extracted_data=None, email_address="x@acme.example")
    crm.run("enrichment")
    assert (queue(crm, row)["status"], queue(crm, row)["error_message"]) == ("skipped", "no contact with this address")
    assert apollo.calls == []
    assert spent(crm) == [0]


def test_a_queue_of_strangers_does_not_end_a_pause_before_its_time(crm: Crm, apollo: ProviderServer) -> None:
    waiting(crm, crm.tenant(), 1)
    apollo.script = [Said(429, {})]
    crm.run("enrichment")
    crm.enrichment(crm.tenant(), source="apollo", extracted_data=None, email_address="x@nowhere.example")
    again = crm.one("SELECT ends_at FROM provider_limits WHERE window_name = 'pause'")["ends_at"]
    crm.execute("UPDATE contact_enrichment_queue SET status = 'failed' WHERE contact_id IS NOT NULL")
    crm.run("enrichment", at=again)
    assert crm.one("SELECT failures FROM provider_limits WHERE window_name = 'pause'")["failures"] == 1


def test_a_dry_run_asks_nobody(
    crm: Crm, apollo: ProviderServer, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    settings.cache_clear()
    (row,) = waiting(crm, crm.tenant(), 1)
    result = CliRunner().invoke(app, ["run", "enrichment", "--dry-run"])
    assert result.exit_code == 0, result.output
    assert apollo.calls == []
    assert queue(crm, row)["status"] == "pending"


@pytest.mark.parametrize("header", ["120", "Mon, 02 Mar 2026 09:02:00 GMT"])
def test_429_waits_as_long_as_apollo_says(crm: Crm, apollo: ProviderServer, header: str) -> None:
    tenant = crm.tenant()
    first, second = waiting(crm, tenant, 11)[0], waiting(crm, crm.tenant(), 1)[0]
    apollo.script = [Said(429, {"error": "too many"}, {"Retry-After": header})]

    crm.run("enrichment")

    assert len(apollo.calls) == 1  # the other tenant's row was not tried either
    for row in (first, second):
        assert (queue(crm, row)["status"], queue(crm, row)["retry_at"]) == ("pending", NOW + timedelta(seconds=120))
        assert "slow down (429)" in queue(crm, row)["error_message"]
    assert crm.due_tenants("enrichment", NOW + timedelta(seconds=119)) == set()
    crm.run("enrichment", at=NOW + timedelta(seconds=120))
    assert queue(crm, first)["status"] == queue(crm, second)["status"] == "completed"
    assert sum(spent(crm)) == 12


def test_429_without_retry_after_waits_longer_each_time(crm: Crm, apollo: ProviderServer) -> None:
    (row,) = waiting(crm, crm.tenant(), 1)
    waits, now = [], NOW
    for _ in range(4):
        apollo.script = [Said(429, {})]
        crm.run("enrichment", at=now)
        waits.append((queue(crm, row)["retry_at"] - now).total_seconds())
        now = queue(crm, row)["retry_at"]
    for wait, base in zip(waits, (60, 120, 240, 480), strict=True):
        assert 0.75 * base <= wait <= 1.25 * base
    crm.run("enrichment", at=now)
    assert queue(crm, row)["status"] == "completed"
    assert [limit["failures"] for limit in crm.rows("SELECT failures FROM provider_limits")] == [0] * 3


def test_a_server_error_is_tried_again_at_once_and_costs_nothing(crm: Crm, apollo: ProviderServer) -> None:
    (row,) = waiting(crm, crm.tenant(), 1)
    apollo.script = [Said(500, {}), Said(502, b"<html>bad gateway</html>")]
    crm.run("enrichment")
    assert len(apollo.calls) == 3
    assert queue(crm, row)["status"] == "completed"
    assert spent(crm) == [1]


def test_a_provider_that_is_down_keeps_its_rows_and_their_credits(crm: Crm, apollo: ProviderServer) -> None:
    (row,) = waiting(crm, crm.tenant(), 1)
    apollo.stop()
    crm.run("enrichment")
    assert queue(crm, row)["status"] == "pending"
    assert "cannot be reached" in queue(crm, row)["error_message"]
    assert queue(crm, row)["retry_at"] > NOW
    assert spent(crm) == [0]


def test_a_timeout_is_not_repeated_at_once_for_the_work_may_have_been_charged(
    crm: Crm, apollo: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_TIMEOUT", 0.2)
    (row,) = waiting(crm, crm.tenant(), 1)
    apollo.script = [Said(200, {"matches": []}, seconds=0.6)]
    crm.run("enrichment")
    assert len(apollo.calls) == 1
    assert "gave no answer" in queue(crm, row)["error_message"]
    assert spent(crm) == [1]


def test_an_answer_that_drips_or_never_ends_is_cut_off(apollo: ProviderServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_LARGEST_ANSWER", 1000)
    apollo.script = [Said(200, b" " * 2000)]
    assert "more than 1000 bytes" in unavailable(lookup(apollo)[0]).reason


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"matches": null}', b'{"matches": []}', b"{}"],
)
def test_malformed_answers_are_no_match_for_nobody(apollo: ProviderServer, body: bytes) -> None:
    apollo.script = [Said(200, body)]
    assert unavailable(lookup(apollo)[0]).reason.startswith("apollo answered")


def test_hostile_values_cannot_reach_the_database(crm: Crm, apollo: ProviderServer) -> None:
    (row,) = waiting(crm, crm.tenant(), 1)
    hostile = {
        "first_name": "A\u0000nn\ud800", "last_name": ["x"], "title": "C" * 5000, "linkedin_url": 7,
        "organization": "Acme", "phone_numbers": [None, {"sanitized_number": {}}, {"type": ["x"]}], "contact": [],
    }  # fmt: skip
    apollo.script = [Said(200, {"matches": [hostile], "credits_consumed": "many"})]
    crm.run("enrichment")
    assert queue(crm, row)["extracted_data"] == {"first_name": "Ann"}
    assert queue(crm, row)["status"] == "completed"
    assert spent(crm) == [1]


def test_a_wrong_key_stops_the_asking_for_an_hour_and_names_the_setting(crm: Crm, apollo: ProviderServer) -> None:
    (row,) = waiting(crm, crm.tenant(), 1)
    apollo.script = [Said(401, {"error": "Invalid access credentials."})]
    crm.run("enrichment")
    crm.run("enrichment", at=NOW + timedelta(minutes=30))
    assert len(apollo.calls) == 1
    assert "refuses the key (401): check APOLLO_API_KEY" in queue(crm, row)["error_message"]
    crm.run("enrichment", at=NOW + timedelta(minutes=60))
    assert queue(crm, row)["status"] == "completed"


def test_the_key_goes_nowhere_but_into_its_header(apollo: ProviderServer) -> None:
    apollo.script = [Said(302, {}, {"Location": "http://127.0.0.1:1/steal"})]
    assert unavailable(lookup(apollo)[0]).reason == "apollo answered 302"
    assert KEY not in repr(Apollo(apollo.url, KEY))
    assert KEY not in repr(settings())


def test_one_entry_that_apollo_refuses_does_not_fail_the_others(apollo: ProviderServer) -> None:
    def choosy(call: Call) -> Said:
        bad = any(details.get("email") == "bad@acme.example" for details in call.payload["details"])
        return Said(422, {"error": "unprocessable"}) if bad else apollo_says(call)

    apollo.answer = choosy
    names = ["a", "b", "bad", "c", "d"]
    outcomes = lookup(apollo, *(Request(f"{name}@acme.example") for name in names))
    assert [type(outcome) for outcome in outcomes] == [Found, Found, Refused, Found, Found]


def test_who_has_neither_address_nor_name_is_not_asked_about(apollo: ProviderServer) -> None:
    outcomes = lookup(
        apollo, Request(None, "Ann", None, "Acme"), Request("x@nowhere.example"), Request(None, None, "A", "B")
    )
    assert [type(outcome) for outcome in outcomes] == [Refused, NoMatch, NoMatch]
    assert [len(call.payload["details"]) for call in apollo.calls] == [2]


def test_what_a_lost_worker_had_claimed_comes_back_and_its_late_answer_is_not_heard(
    crm: Crm, apollo: ProviderServer
) -> None:
    tenant = crm.tenant()
    (row,) = waiting(crm, tenant, 1)
    later = NOW + timedelta(minutes=31)

    def slow(call: Call) -> Said:
        apollo.answer = lambda _: Said(200, {"matches": [ANN | {"title": "CEO"}], "credits_consumed": 1})
        crm_second(later)
        return apollo_says(call)

    def crm_second(at: Any) -> None:
        with connect(crm.connection.info.dsn) as other, clock.at(at):
            ask_providers(other, tenant, 100)

    apollo.answer = slow
    with clock.at(NOW):
        ask_providers(crm.connection, tenant, 100)
    assert queue(crm, row)["extracted_data"]["title"] == "CEO"
    assert len(apollo.calls) == 2


def test_switched_off_for_a_tenant_nobody_is_asked(crm: Crm, apollo: ProviderServer) -> None:
    tenant = crm.tenant()
    crm.mode(tenant, "enrichment", "off")
    waiting(crm, tenant, 1)
    with clock.at(NOW):
        assert ask_providers(crm.connection, tenant, 100).due == 0
    assert apollo.calls == []


def test_another_tenants_contact_is_not_asked_about(crm: Crm, apollo: ProviderServer) -> None:
    theirs = crm.contact(crm.tenant())
    with crm.unchecked():
        row = crm.enrichment(crm.tenant(), contact_id=theirs, source="apollo", extracted_data=None)
    crm.run("enrichment")
    assert apollo.calls == []
    assert re.search("no contact", queue(crm, row)["error_message"])


@pytest.fixture
def touchy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Apollo cannot be asked about p13."""
    lookup = Apollo.lookup

    def refusing(provider: Apollo, requests: Sequence[Request]) -> Answer:
        if any(request.email == "p13@acme.example" for request in requests):
            raise RecursionError("too deep")
        return lookup(provider, requests)

    monkeypatch.setattr(Apollo, "lookup", refusing)


@pytest.mark.usefixtures("touchy")
def test_one_contact_that_a_provider_cannot_bear_costs_the_others_nothing(
    crm: Crm, apollo: ProviderServer, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    rows = waiting(crm, ours, 50) + waiting(crm, theirs, 50)

    crm.run("enrichment")

    found = [queue(crm, row) for row in rows]
    refused = [row for row in found if row["status"] == "failed"]
    assert {row["error_message"] for row in refused} == {"it cannot be asked about: RecursionError: too deep"}
    assert len(refused) == 2
    assert {row["status"] for row in found if row not in refused} == {"completed"}
    causes = [record.exc_info and record.exc_info[0] for record in caplog.records if "at once" in record.message]
    assert causes == [RecursionError] * 4  # of each tenant's batch, and of the one contact


@pytest.mark.usefixtures("touchy")
def test_who_is_asked_about_alone_costs_no_call_behind_a_provider_that_slows_down(
    crm: Crm, apollo: ProviderServer
) -> None:
    rows = waiting(crm, crm.tenant(), 20)
    slow_down = Said(429, {}, {"Retry-After": "120"})
    apollo.answer = lambda call: slow_down if len(apollo.calls) > 2 else apollo_says(call)

    crm.run("enrichment")
    assert len(apollo.calls) == 3  # ten, one alone, and one in vain
    waits = [row["retry_at"] for row in (queue(crm, row) for row in rows) if row["status"] == "pending"]
    assert waits == [NOW + timedelta(seconds=120)] * 9


@pytest.mark.usefixtures("touchy")
def test_what_is_left_of_a_window_is_heard_from_contacts_asked_about_alone(crm: Crm, apollo: ProviderServer) -> None:
    waiting(crm, crm.tenant(), 20)
    apollo.answer = lambda call: apollo_says(call, {"x-minute-requests-left": str(40 - len(apollo.calls))})

    crm.run("enrichment")
    assert len(apollo.calls) == 10
    assert crm.rows("SELECT calls_left FROM provider_limits WHERE window_name = 'minute'") == [{"calls_left": 30}]
