"""If these fail, who asks twice makes a thing happen twice, a list loses rows, or a change overwrites another one."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.actors import Things, things
from tests.crm import NOW, Crm, days, wait_until
from tests.outbox import write
from tests.tokens import bearer
from workers import clock
from workers.runtime.ledger import prune_answers
from workers.runtime.slots import latest_slot
from workers.runtime.tokens import new_api_token, token_hash
from workers.settings import settings
from workers.web.api.routes import OPERATIONS

WISH = {"address": "ann@acme.example", "why": "asked us"}
SUPPRESSIONS = "/api/suppressions"


@pytest.fixture
def ours(crm: Crm) -> Things:
    return things(crm, "Ours")


@pytest.fixture
def manager(ours: Things) -> dict[str, str]:
    return bearer(ours.people["manager"])


def decisions(crm: Crm) -> int:
    return len(crm.rows("SELECT FROM fleet_decisions WHERE about = 'suppression'"))


def pages(client: httpx.Client, path: str, headers: dict[str, str], **asked: Any) -> list[list[dict[str, Any]]]:
    """Every page of a list, each asked for by what the page before says."""
    found: list[list[dict[str, Any]]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.get(path, params=asked | cursor, headers=headers)
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        if answer.json()["next"] is None:
            return found
        cursor = {"next": answer.json()["next"]}


def test_the_same_request_under_the_same_key_is_carried_out_once_and_answered_the_same(
    client: httpx.Client, crm: Crm, ours: Things, manager: dict[str, str]
) -> None:
    keyed = manager | {"Idempotency-Key": "one"}
    first, again = (client.post(SUPPRESSIONS, json=WISH, headers=keyed) for _ in range(2))
    assert (first.status_code, first.json()["items"]) == (200, [{"address": "ann@acme.example", "was": None}])
    assert (again.status_code, again.content) == (200, first.content), "without the key: that it was suppressed"
    assert decisions(crm) == 1
    assert len(crm.rows("SELECT FROM console_audit WHERE what = 'suppress'")) == 1

    for other in (
        client.post(SUPPRESSIONS, json=WISH | {"why": "other"}, headers=keyed),
        client.post(f"{SUPPRESSIONS}/remove", json=WISH, headers=keyed),
    ):
        assert (other.status_code, "Another request" in other.json()["detail"]) == (422, True)
    agent = bearer(ours.people["agent"]) | {"Idempotency-Key": "one"}
    assert client.post(SUPPRESSIONS, json=WISH, headers=agent).json()["items"][0]["was"], "a key is its caller's own"

    crm.execute("UPDATE api_answers SET answered_at = answered_at - interval '25 hours'")
    assert client.post(SUPPRESSIONS, json=WISH, headers=keyed).json()["items"][0]["was"] == "asked us", (
        "it is a new one"
    )
    assert len(crm.rows("SELECT FROM api_answers")) == 2
    prune_answers(crm.connection)
    assert len(crm.rows("SELECT FROM api_answers")) == 1
    crm.rows("SELECT * FROM forget_person(%s, %s, 'Bo', 'asked us')", ours.tenant, WISH["address"])
    assert crm.rows("SELECT FROM api_answers") == [], "an answer may name who is forgotten"


def test_while_a_request_is_being_answered_another_one_under_its_key_is_told_so(
    client: httpx.Client, crm: Crm, ours: Things, manager: dict[str, str]
) -> None:
    keyed = manager | {"Idempotency-Key": "one"}
    with crm.connection.transaction():
        crm.execute("SELECT answer_before(%s, 'one')", ours.people["manager"])
        busy = client.post(SUPPRESSIONS, json=WISH, headers=keyed)
    assert (busy.status_code, "now" in busy.json()["detail"], decisions(crm)) == (409, True, 0)
    assert client.post(SUPPRESSIONS, json=WISH, headers=keyed).status_code == 200


def test_a_problem_is_not_kept_under_a_key_because_nothing_was_done(
    client: httpx.Client, crm: Crm, ours: Things, manager: dict[str, str]
) -> None:
    keyed = manager | {"Idempotency-Key": "one"}
    path = f"/api/actions/{ours.action}/retry"
    assert client.post(path, headers=keyed).status_code == 409
    crm.execute("UPDATE scheduled_actions SET status = 'dead' WHERE id = %s", ours.action)
    assert client.post(path, headers=keyed).json()["status"] == "scheduled"


def test_a_list_comes_in_pages_that_leave_nothing_out_whatever_is_added_meanwhile(
    client: httpx.Client, crm: Crm, ours: Things, manager: dict[str, str]
) -> None:
    ids = sorted([ours.action, *write(crm, ours.tenant, 4)], reverse=True)
    first = client.get("/api/actions", params={"limit": 2}, headers=manager).json()
    write(crm, ours.tenant, 1)
    rest = client.get("/api/actions", params={"limit": 100, "next": first["next"]}, headers=manager).json()
    assert [row["action_id"] for row in first["items"] + rest["items"]] == ids
    assert rest["next"] is None

    crm.execute("DELETE FROM suppressions")
    crm.execute(  # at one instant, and one before
        "INSERT INTO suppressions (tenant_id, address, reason, created_at) SELECT %s, n || '@acme.example', 'x',"
        " now() - CASE n WHEN 1 THEN interval '1 day' ELSE '0' END FROM generate_series(1, 5) AS n",
        ours.tenant,
    )
    found = pages(client, SUPPRESSIONS, manager, limit=2)
    assert [len(page) for page in found] == [2, 2, 1]
    assert [row["address"][0] for page in found for row in page] == ["5", "4", "3", "2", "1"]

    crm.execute("INSERT INTO engine_runs (engine, trigger, status, started_at, lease_until)"
                " SELECT 'deals', 'manual', 'running', now(), now() FROM generate_series(1, 3)")  # fmt: skip
    runs = [row["run_id"] for page in pages(client, "/api/runs", manager, limit=1) for row in page]
    assert (len(runs), runs) == (4, sorted(runs, reverse=True))

    # A slot that nobody began has neither a start nor anybody who started it.
    crm.execute("INSERT INTO engine_runs (engine, slot, status) VALUES ('deals', now() - interval '1 hour', 'missed')")
    (missed,) = client.get("/api/runs", params={"status": "missed"}, headers=manager).json()["items"]
    assert (missed["trigger"], missed["started_at"]) == (None, None)
    assert missed["late_seconds"] >= 3600
    assert client.get(f"/api/runs/{missed['run_id']}", headers=manager).json() == missed


@pytest.mark.parametrize(
    "cursor", ["x", "", "W10", "WyJ4Il0", "WzEsMl0", "WzAuNV0", "Wy0xXQ", "[1]", "\x00", "WzFlOTldIA"]
)
def test_what_no_page_said_is_no_place_in_a_list(client: httpx.Client, manager: dict[str, str], cursor: str) -> None:
    for path in ("/api/actions", "/api/runs", SUPPRESSIONS):
        answer = client.get(path, params={"next": cursor}, headers=manager)
        assert (answer.status_code, "next" in answer.json()["detail"]) == (422, True)


def test_settings_are_changed_by_who_has_seen_how_they_are(client: httpx.Client, manager: dict[str, str]) -> None:
    path = "/api/settings"
    seen = client.get(path, headers=manager)
    change = {"values": {"mails_per_day": "3", "paused": "yes"}, "why": "quiet"}
    assert client.patch(path, json=change, headers=manager).status_code == 428

    changed = client.patch(path, json=change, headers=manager | {"If-Match": seen.headers["ETag"]})

    values = {one["name"]: one["value"] for one in changed.json()["items"]}
    assert (values["mails_per_day"], values["paused"]) == ("3", "yes")
    assert changed.headers["ETag"] == client.get(path, headers=manager).headers["ETag"] != seen.headers["ETag"]
    late = client.patch(path, json=change, headers=manager | {"If-Match": seen.headers["ETag"]})
    assert (late.status_code, "meanwhile" in late.json()["detail"]) == (412, True)
    for name, status in (("mails_per_day", 422), ("no_such", 422), ("quota.messages", 403)):
        wrong = client.patch(path, json={"values": {name: "many"}}, headers=manager | {"If-Match": "*"})
        assert (wrong.status_code, name in wrong.json()["detail"]) == (status, True), wrong.text

    replaced = client.put(path, json={"values": {"mails_per_day": "2"}}, headers=manager | {"If-Match": "*"})

    values = {one["name"]: one["value"] for one in replaced.json()["items"]}
    assert (values["mails_per_day"], values["paused"]) == ("2", "no"), "what is not named is set back"


def test_actions_of_a_filter_are_decided_as_the_preview_named_them(
    client: httpx.Client, crm: Crm, ours: Things, manager: dict[str, str]
) -> None:
    sent, *waiting = write(crm, ours.tenant, 3, status="suggested", run_at=NOW)
    crm.execute("UPDATE scheduled_actions SET status = 'sent', sent_at = now(), sent_to = 'a@b.example',"
                " message_id = '<x@y>' WHERE id = %s", sent)  # fmt: skip
    chosen = {"decision": "approve", "filter": {"engine": "deals", "template": "deal_follow_up"}}

    meaning = client.post("/api/actions/preview", json=chosen, headers=manager).json()
    decided = client.post(
        "/api/actions/decide", json={"decision": "approve", "ids": [*meaning["decidable"], sent]}, headers=manager
    ).json()

    assert (meaning["decidable"], meaning["messages"]) == ([ours.action, *waiting], 3)
    assert decided == {"done": [ours.action, *waiting], "left": [sent]}
    listed = client.get("/api/actions", params={"status": ["scheduled", "sent"], "limit": 9}, headers=manager).json()
    assert {row["action_id"]: row["status"] for row in listed["items"]} == {
        ours.action: "scheduled", sent: "sent", **dict.fromkeys(waiting, "scheduled")
    }  # fmt: skip
    both = client.post("/api/actions/preview", json=chosen | {"ids": [sent]}, headers=manager)
    assert both.status_code == 422


def test_an_action_is_read_edited_and_cancelled_and_its_history_says_who_did_that(
    client: httpx.Client, ours: Things, manager: dict[str, str]
) -> None:
    path = f"/api/actions/{ours.action}"
    assert client.get(path, headers=manager).json()["body"].startswith("Hello")
    edited = client.patch(path, json={"subject": "Other", "run_at": "2030-01-07T09:00:00Z"}, headers=manager).json()
    assert (edited["subject"], edited["run_at"][:10]) == ("Other", "2030-01-07")
    cancelled = client.post(f"{path}/cancel", json={"why": "they called"}, headers=manager).json()
    who = f"manager@{ours.tenant}.example"
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", f"cancelled by {who}: they called")
    assert [(event["what"], event["who"]) for event in cancelled["history"][1:]] == [
        ("given another text and given another time", who), ("cancelled", who),
    ]  # fmt: skip
    refused = client.post(f"{path}/approve", headers=manager)
    assert (refused.status_code, "is cancelled" in refused.json()["detail"]) == (409, True)


def test_what_happens_to_a_quote_and_a_check_is_told_by_who_saw_it(
    client: httpx.Client, crm: Crm, ours: Things, manager: dict[str, str]
) -> None:
    crm.update("quotes", ours.quote, status="draft", sent_at=None)
    quote = f"/api/quotes/{ours.quote}"
    assert client.post(f"{quote}/views", headers=manager).status_code == 404, "nobody was sent it yet"
    assert client.post(f"{quote}/send", headers=manager).json()["status"] == "sent"
    assert client.post(f"{quote}/send", headers=manager).status_code == 409
    viewed = client.post(f"{quote}/views", json={"metadata": {"page": 2}}, headers=manager).json()
    assert (viewed["status"], viewed["view_count"]) == ("viewed", 1)
    end = {"outcome": "lost", "competitor": "Contoso", "competitor_amount": "99.50"}
    assert client.post(f"{quote}/outcome", json=end, headers=manager).json()["status"] == "rejected"
    [outcome] = crm.rows("SELECT competitor_amount, recorded_by FROM quote_outcomes")
    assert (str(outcome["competitor_amount"]), outcome["recorded_by"]) == ("99.50", ours.people["manager"])

    check = f"/api/compliance/{ours.check}"
    assert (
        client.post(f"{check}/answer", json={"notes": "on its way"}, headers=manager).json()["status"] == "in_progress"
    )
    assert client.post(f"{check}/complete", headers=manager).json()["notes"] == "on its way"
    assert client.post(f"{check}/waive", json={"reason": "gone"}, headers=manager).status_code == 409


def test_words_and_texts_are_explained_tried_and_kept(client: httpx.Client, crm: Crm, manager: dict[str, str]) -> None:
    crm.execute("UPDATE deals SET stage = 'pitched'")
    unknown = next(one for one in client.get("/api/words", headers=manager).json()["items"] if one["word"] == "pitched")
    assert (unknown["meaning"], unknown["n"]) == (None, 2)
    word = {"kind": "deal_stage", "word": "Pitched!", "meaning": "open"}
    known = client.put("/api/words", json=word, headers=manager).json()["items"]
    assert ("pitched", "open") in {(one["word"], one["meaning"]) for one in known}
    assert client.put("/api/words", json=word | {"meaning": "delivered"}, headers=manager).status_code == 422

    path = "/api/templates/deal_follow_up"
    text = {"source": "About {{ deal }}\nHello."}
    [first, *_] = client.post(f"{path}/preview", json=text, headers=manager).json()["items"]
    assert (first["subject"], first["body"].splitlines()[0]) == ("About Ten licences", "Hello.")
    assert client.get(path, headers=manager).json()["version"] == 1, "a preview keeps nothing"
    assert client.put(path, json={"source": "{{ nobody }}\nx"}, headers=manager).status_code == 422
    kept = client.put(path, json=text, headers=manager).json()
    assert (kept["version"], kept["is_own"], kept["source"]) == (2, True, text["source"])
    reset = client.post(f"{path}/reset", headers=manager).json()
    assert (reset["version"], reset["is_own"], reset["source"] == text["source"]) == (3, False, False)
    assert client.get(path, params={"language": "xx"}, headers=manager).status_code == 404


def test_an_explanation_says_how_a_thing_stands_or_which_things_are_meant(
    client: httpx.Client, crm: Crm, ours: Things, manager: dict[str, str]
) -> None:
    said = client.get("/api/explain", params={"q": f"ann@{ours.tenant}.example"}, headers=manager).json()
    assert [thing["kind"] for thing in said["found"]] == ["address"]
    assert any("waits for a person" in sentence["what"] for sentence in said["now"])
    crm.deal(ours.tenant, title="Ours")
    both = client.get("/api/explain", params={"q": "Ours"}, headers=manager).json()
    assert len(both["found"]) > 1
    assert both["now"] == both["next"] == both["past"] == []


def test_analytics_are_the_views_of_the_tenant(client: httpx.Client, crm: Crm, ours: Things) -> None:
    other: UUID = things(crm, "Theirs").tenant
    crm.execute("UPDATE quotes SET status = 'accepted'")
    crm.execute("UPDATE opportunity_signals SET actioned = true")
    for operation in OPERATIONS:
        if operation.path.startswith("/analytics/"):
            view = operation.path.removeprefix("/analytics/").replace("-", "_")
            items = client.get(f"/api{operation.path}", headers=bearer(ours.people["reader"])).json()["items"]
            columns = crm.rows("SELECT column_name AS name FROM information_schema.columns WHERE table_name = %s", view)
            wanted = crm.rows(f"SELECT * FROM {view} WHERE tenant_id <> %s", other)  # noqa: S608
            assert len(items) == len(wanted), view
            for item, row in zip(items, wanted, strict=True):
                assert {name: str(value) for name, value in item.items()} == {
                    column["name"]: str(row[column["name"]]) for column in columns
                }, view


def test_a_program_of_the_operators_makes_up_for_slots_once_and_cancels_a_slot_once(
    client: httpx.Client, crm: Crm
) -> None:
    token = new_api_token()
    crm.one("SELECT make_token(%s, NULL, 'ops', 'operator', 600, NULL, NULL, 'Bo', NULL)", token_hash(token))
    headers = {"Authorization": f"Bearer {token}"}
    first, second = (latest_slot("deals", clock.now() - days(n), settings().time_zone) for n in (2, 1))
    for slot in (first, second):
        crm.insert("engine_runs", engine="deals", slot=slot, status="missed")
    span = {"engine": "deals", "since": first.isoformat(), "until": second.isoformat()}
    listed = client.get("/api/runs/missed", params=span, headers=headers).json()["items"]
    assert [(row["engine"], row["status"]) for row in listed] == [("deals", "missed")]

    started = client.post("/api/runs/backfill", json=span, headers=headers)
    assert (started.status_code, started.json()["items"]) == (202, listed)
    wait_until(lambda: crm.rows("SELECT FROM engine_runs WHERE trigger = 'backfill' AND status = 'succeeded'"), "it")
    assert client.post("/api/runs/backfill", json=span, headers=headers).json() == {"items": []}
    assert client.get("/api/runs/missed", params={"since": "x"}, headers=headers).status_code == 422

    expected = crm.insert("engine_runs", engine="deals", slot=clock.now(), status="expected")
    path = f"/api/runs/{expected}/cancel"
    cancelled = client.post(path, json={"why": "wrong texts"}, headers=headers).json()
    assert (cancelled["status"], cancelled["cancelled_by"]) == ("cancelled", "token ops")
    again = client.post(path, json={"why": "wrong texts"}, headers=headers)
    assert (again.status_code, again.json()["detail"]) == (
        409, "The run is cancelled: nothing is left of it to cancel.",
    )  # fmt: skip
    assert client.post("/api/runs/4711/cancel", json={"why": "x"}, headers=headers).status_code == 404
    kept = crm.rows("SELECT what FROM console_audit WHERE who = 'token ops' ORDER BY id")
    assert [row["what"] for row in kept] == ["makes up for slots", "cancels a run"]
