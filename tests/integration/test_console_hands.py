"""If these fail, nobody at the console puts off, pauses or hurries what the fleet does, or it does it all the same."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import httpx
import pytest

from tests.console import signed_in
from tests.crm import Crm, days
from tests.outbox import write
from tests.shell import fleet
from workers import clock
from workers.db.session import Connection

MORNING = "2031-01-02T09:30"  # in Berlin, where it is half past eight in UTC
UTC_MORNING = datetime.fromisoformat("2031-01-02T08:30:00+00:00")


@pytest.fixture
def tenant(crm: Crm) -> UUID:
    tenant = crm.tenant("Northwind")
    crm.execute("INSERT INTO tenant_calendar (tenant_id, time_zone) VALUES (%s, 'Europe/Berlin')"
                " ON CONFLICT (tenant_id) DO UPDATE SET time_zone = excluded.time_zone", tenant)  # fmt: skip
    return tenant


@pytest.fixture
def agent(client: httpx.Client, connection: Connection, crm: Crm, tenant: UUID) -> Iterator[httpx.Client]:
    person = crm.profile(tenant, email="sam@northwind.example", role="sales")
    with signed_in(client, connection, person) as visitor:
        yield visitor


def silent_deal(crm: Crm, tenant: UUID) -> UUID:
    client = crm.client(tenant)
    contact = crm.contact(tenant, client, email="bea@acme.example")
    return crm.deal(tenant, client_id=client, contact_id=contact, last_activity_at=clock.now() - days(9))


def test_what_waits_is_put_off_one_or_many_and_what_has_left_is_not(
    agent: httpx.Client, crm: Crm, tenant: UUID
) -> None:
    ids = write(crm, tenant, 3, status="suggested", run_at=clock.now())
    crm.execute("UPDATE scheduled_actions SET status = 'dead' WHERE id = %s", ids[2])
    page = agent.post(
        "/console/actions/preview", data={"filter": "status=suggested", "all": "1", "decision": "snooze"}
    ).text
    assert "Put off 2 actions?" in page
    form = {"ids": ",".join(map(str, ids)), "until": MORNING, "why": "they move house", "back": "/console/actions"}

    assert agent.post("/console/actions/snooze", data=form).headers["Location"].endswith("done=snooze&n=2")

    rows = crm.actions(engine="deals")
    assert [(row["status"], row["run_at"] == UTC_MORNING) for row in rows[:3]] == [
        ("suggested", True), ("suggested", True), ("dead", False),
    ]  # fmt: skip
    history = agent.get(f"/console/actions/{ids[0]}").text
    assert "given another time" in history
    assert "they move house" in history
    for wrong in ({"until": "2001-01-01T09:00"}, {"until": "soon"}, {"until": ""}):
        assert agent.post("/console/actions/snooze", data=form | wrong).status_code == 400
    assert agent.post("/console/actions/snooze", data=form | {"ids": str(ids[2])}).status_code == 409


def test_a_list_is_worked_through_one_by_one(agent: httpx.Client, crm: Crm, tenant: UUID) -> None:
    ids = write(crm, tenant, 3, status="suggested", run_at=clock.now())
    write(crm, tenant, run_at=clock.now())  # scheduled: not of the list
    within = "status%3Dsuggested"
    page = agent.get(f"/console/actions/{ids[1]}?in={within}").text
    assert f'href="/console/actions/{ids[0]}?in={within}" rel="next"' in page
    assert f'href="/console/actions/{ids[2]}?in={within}" rel="prev"' in page
    back = page.partition('name="back" value="')[2].partition('"')[0]
    agent.post("/console/actions/decide", data={"ids": str(ids[1]), "decision": "approve", "back": back})
    page = agent.get(f"/console/actions/{ids[0]}?in={within}").text
    assert f'href="/console/actions/{ids[2]}?in={within}" rel="prev"' in page, "the approved one is off the list"
    assert 'rel="next"' not in page
    assert 'rel="prev"' not in agent.get(f"/console/actions/{ids[0]}").text


def test_while_somebody_or_something_is_paused_nothing_leaves_for_them_and_it_goes_on_afterwards(
    agent: httpx.Client, crm: Crm, tenant: UUID, database_url: str
) -> None:
    [one] = write(crm, tenant, run_at=clock.now())
    deal = crm.actions(id=one)[0]["subject_id"]
    other = silent_deal(crm, tenant)
    for query in ("ann@acme.example", str(other)):
        path = agent.get("/console/find", params={"q": query}).headers["Location"]
        form = {"act": "pause", "until": MORNING, "why": "parental leave"}
        assert agent.post(path, data=form).status_code == 303
        assert "sam@northwind.example paused it (parental leave)" in agent.get(path).text
        assert (
            "the pause ends that sam@northwind.example made: parental leave"
            in fleet(database_url, "explain", query).stdout
        )
    assert crm.actions(id=one)[0]["run_at"] == UTC_MORNING
    [later] = write(crm, tenant, subject_id=deal, run_at=clock.now())  # to the same mailbox
    written = crm.action(tenant, subject_type="deal", subject_id=other, run_at=clock.now())
    task = crm.action(tenant, subject_type="deal", subject_id=other, kind="task", run_at=clock.now())
    assert [crm.actions(id=number)[0]["run_at"] == UTC_MORNING for number in (later, written, task)] == [
        True,
        True,
        False,
    ]

    assert agent.post(path, data={"act": "resume"}).status_code == 303
    assert crm.actions(id=written)[0]["run_at"] <= clock.now()
    assert crm.actions(id=later)[0]["run_at"] == UTC_MORNING, "the person's pause holds"
    assert agent.post(path, data={"act": "resume"}).status_code == 409
    assert agent.post(path, data={"act": "pause", "until": "x"}).status_code == 400
    assert agent.post(path, data={"act": "dance"}).status_code == 400


def test_what_a_person_wants_written_now_is_written_and_may_leave(agent: httpx.Client, crm: Crm, tenant: UUID) -> None:
    crm.mode(tenant, "deals", "review")
    deal = silent_deal(crm, tenant)
    crm.execute("UPDATE deals SET next_follow_up_at = now() + interval '9 days' WHERE id = %s", deal)
    path = agent.get("/console/find", params={"q": str(deal)}).headers["Location"]
    assert agent.post(path, data={"act": "now", "why": "they called"}).status_code == 303
    [row] = crm.actions(subject_id=deal)
    assert (row["template"], row["status"], row["run_at"] <= clock.now()) == ("deal_follow_up", "scheduled", True)

    agent.post(path, data={"act": "pause", "until": MORNING})
    agent.post(path, data={"act": "now"})
    assert crm.actions(subject_id=deal)[0]["run_at"] <= clock.now(), "who pauses may also hurry"
    crm.execute("UPDATE scheduled_actions SET status = 'sent', sent_at = now() WHERE id = %s", row["id"])
    crm.mode(tenant, "deals", "off")
    assert agent.post(path, data={"act": "now"}).status_code == 409
    assert crm.rows("SELECT DISTINCT decided_by FROM fleet_decisions WHERE about = 'action'") == [
        {"decided_by": "sam@northwind.example"}
    ]


def test_what_a_customer_answered_stands_beside_the_letter_that_it_answers(
    agent: httpx.Client, crm: Crm, tenant: UUID
) -> None:
    [ours] = write(crm, tenant, status="sent", sent_at=clock.now())
    [theirs] = write(crm, crm.tenant("Southwind"), status="sent", sent_at=clock.now())
    for number, action in enumerate((ours, theirs)):
        crm.insert(
            "inbound_messages", tenant_id=crm.actions(id=action)[0]["tenant_id"], action_id=action, kind="reply",
            message_id=f"<{number}@x.example>", raw_size=1, subject="Re: Ten licences", text="We take twenty.",
            from_name="Ann", received_at=clock.now(),
        )  # fmt: skip
    page = agent.get(f"/console/actions/{ours}").text
    assert '<pre class="letter">We take twenty.</pre>' in page
    assert "from Ann" in page
    assert crm.read("console_replies", tenant, theirs) == [], "by whatever number it is asked for"
