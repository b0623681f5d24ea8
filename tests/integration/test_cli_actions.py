"""If these fail, an operator cannot find a message, decides about others than he meant, or nobody knows who decided."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.crm import NOW, Crm, days
from tests.letters import part_of
from tests.mail import MailServer
from tests.outbox import run, write
from tests.shell import fleet, one_line
from workers import clock


def listed(database_url: str, *arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(fleet(database_url, "actions", "list", "--json", *arguments).stdout)
    return rows


def found(database_url: str, *arguments: str) -> set[int]:
    return {row["action_id"] for row in listed(database_url, *arguments)}


def decisions(crm: Crm, action: int) -> list[tuple[str, str, str | None]]:
    rows = crm.rows("SELECT * FROM fleet_decisions WHERE about = 'action' AND item = %s ORDER BY id", str(action))
    return [(row["decision"], row["decided_by"], row["why"]) for row in rows]


@pytest.fixture
def northwind(crm: Crm) -> UUID:
    return crm.tenant("Northwind")


def test_each_filter_finds_its_actions_and_no_others(crm: Crm, northwind: UUID, database_url: str) -> None:
    other = crm.tenant("Contoso")
    (one,) = write(crm, northwind, status="suggested")
    (two,) = write(crm, other, contact_id=crm.contact(other, email="Bo+x@acme.example"))
    three = crm.action(
        northwind, engine="quotes", template="quote_follow_up", status="dead", recipient="Cy@acme.example",
        run_at=NOW - days(3), last_error="451 greylisted", reason=None,
    )  # fmt: skip
    four = crm.action(
        northwind,
        status="sent",
        recipient=None,
        sent_to="bo@acme.example",
        sent_at=NOW - days(9),
        run_at=NOW - days(10),
    )
    (first,) = crm.actions(id=one)
    for arguments, expected in (
        ([], {one, two, three, four}),
        (["--tenant", "Contoso"], {two}),
        (["--engine", "quotes"], {three}),
        (["--status", "suggested", "--status", "dead"], {one, three}),
        (["--template", "quote_follow_up"], {three}),
        (["--contact", "bo@ACME.example"], {two, four}),
        (["--contact", "bo@acme.example", "--tenant", "Northwind"], {four}),
        (["--contact", "cy@acme.example"], {three}),
        (["--contact", str(first["contact_id"])], {one}),
        (["--error", "Greylist"], {three}),
        (["--since", "2026-02-25", "--until", "2026-03-01"], {three}),
        (["--until", "2026-02-25"], {four}),
        (["--engine", "deals", "--status", "dead"], set()),
    ):
        assert found(database_url, *arguments) == expected, arguments


def test_a_list_says_when_and_how_many_there_are(crm: Crm, northwind: UUID, database_url: str) -> None:
    write(crm, northwind, 1_112)
    printed = fleet(database_url, "actions", "list", COLUMNS="80").stdout
    assert "50 of 1,112" in printed
    assert "2026-03-02 09:00" in printed
    assert "none" in fleet(database_url, "actions", "list", "--status", "dead").stdout
    (row,) = listed(database_url, "--limit", "1")
    assert (row["run_at"], row["subject"]) == ("2026-03-02T09:00:00+00:00", "A question about our offer")
    assert row["body"].startswith("Hello Ann,")


def test_an_action_shows_its_text_what_speaks_against_it_and_what_happened(
    crm: Crm, northwind: UUID, database_url: str
) -> None:
    (mail,) = write(crm, northwind, status="dead", last_error="451 try later", attempts=12)
    crm.execute(
        "INSERT INTO suppressions (tenant_id, address, reason) VALUES (%s, 'ann@acme.example', 'no')", northwind
    )
    with clock.at(NOW):
        fleet(database_url, "actions", "retry", str(mail), "--yes", "--by", "olive", "--why", "their server is back")
    printed = fleet(database_url, "actions", "show", str(mail), COLUMNS="80").stdout
    for words in (
        "ann@acme.example", "Hello Ann,", "it would be refused: address is suppressed: no", "451 try later",
        "tried again by olive: their server is back", "Mon 02 Mar 2026 09:00 UTC",
    ):  # fmt: skip
        assert words in printed
    shown = json.loads(fleet(database_url, "actions", "show", str(mail), "--json").stdout)
    assert shown["body"].startswith("Hello Ann,")
    assert {event["what"] for event in shown["history"]} == {"written", "tried again"}
    assert "no action 7" in one_line(fleet(database_url, "actions", "show", "7"))


def test_what_was_sent_shows_the_subject_it_had(crm: Crm, northwind: UUID, database_url: str) -> None:
    crm.execute("INSERT INTO tenant_letters (tenant_id, share_deal_titles) VALUES (%s, true)", northwind)
    (mail,) = write(crm, northwind)
    with MailServer() as server:
        run(crm.connection, server.url)
    crm.execute('UPDATE scheduled_actions SET variables = variables || \'{"deal": "Renamed"}\'')
    printed = fleet(database_url, "actions", "show", str(mail)).stdout
    assert 'A question about "Ten licences"' in printed
    assert "sent to ann@acme.example" in printed


def test_a_decision_over_a_filter_asks_first_and_says_what_it_would_do(
    crm: Crm, northwind: UUID, database_url: str
) -> None:
    for number in range(9):
        write(
            crm, northwind, 2 if number < 3 else 1, status="suggested",
            contact_id=crm.contact(northwind, email=f"p{number}@acme.example"),
        )  # fmt: skip
    write(crm, northwind)  # is scheduled already, and none of the filter's
    crm.open_always(northwind, mails=1)
    crm.execute("INSERT INTO suppressions (tenant_id, address, reason) VALUES (%s, 'p8@acme.example', 'no')", northwind)
    command = ["actions", "approve", "--engine", "deals", "--by", "olive", "--why", "read them"]
    with clock.at(NOW):
        asked = fleet(database_url, *command)
    assert asked.returncode == 1
    assert asked.stdout.splitlines()[:3] == [
        "approve: 12 messages to 9 people",
        "  3 leave on Tuesday 03 March 2026 at the earliest",
        "  1 would be refused: address is suppressed: no",
    ]
    assert len(crm.actions(status="suggested")) == 12
    assert crm.rows("SELECT FROM fleet_decisions WHERE about = 'action'") == []

    assert fleet(database_url, *command, stdin=b"y\n").returncode == 0
    assert len(crm.actions(status="scheduled")) == 13
    deciders = crm.rows("SELECT decided_by FROM fleet_decisions WHERE about = 'action'")
    assert {row["decided_by"] for row in deciders} == {"olive"}


def test_failures_of_one_hour_and_cause_are_tried_again_together(crm: Crm, northwind: UUID, database_url: str) -> None:
    values = {"status": "failed", "last_error": "550 5.7.1 relaying denied"}
    denied = [crm.action(northwind, **values, run_at=NOW - days(1)) for _ in range(3)]
    crm.action(northwind, **values, run_at=NOW - days(5))
    crm.action(northwind, status="failed", last_error="550 5.1.1 no such user", run_at=NOW - days(1))
    result = fleet(
        database_url, "actions", "retry", "--status", "failed", "--error", "relaying denied", "--since", "2026-02-28",
        "--yes",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert {action["id"] for action in crm.actions(status="scheduled")} == set(denied)


def test_a_cancelled_action_says_who_did_it_and_why(crm: Crm, northwind: UUID, database_url: str) -> None:
    (mail,) = write(crm, northwind)
    fleet(database_url, "actions", "cancel", str(mail), "--yes", "--by", "olive", "--why", "she called")
    (action,) = crm.actions()
    assert (action["status"], action["reason"]) == ("cancelled", "cancelled by olive: she called")
    assert decisions(crm, mail) == [("cancel", "olive", "she called")]


def test_what_cannot_be_decided_is_named_and_the_rest_is_done(crm: Crm, northwind: UUID, database_url: str) -> None:
    (dead,), (sent,) = write(crm, northwind, status="dead"), write(crm, northwind, status="sent")
    result = fleet(database_url, "actions", "retry", str(dead), str(sent), "7", "--yes")
    assert f"cannot retry 7 (no such action), {sent} (sent)" in one_line(result)
    assert f"to be tried again: {dead}" in result.stdout
    for arguments, words in (
        (["retry"], "say what to retry"),
        (["approve", "--engine", "deals"], "no such action to approve"),
        (["retry", "--status", "sent"], f"cannot retry {sent} (sent)"),
        (["cancel", "--status", "gone"], "no status 'gone'"),
        (["cancel", "--contact", "ann"], "--contact 'ann' is neither an address nor an id"),
        (["cancel", "--since", "today"], "--since 'today' is no ISO 8601 instant"),
        (["edit", str(dead), "--body", " "], "a message needs a subject and a text"),
        (["edit", str(dead), str(sent), "--subject", "x"], "a text is edited one at a time, these are 2"),
    ):
        assert words in one_line(fleet(database_url, "actions", *arguments))


def test_an_edited_text_is_what_leaves(crm: Crm, northwind: UUID, database_url: str) -> None:
    (mail,) = write(crm, northwind, status="suggested")
    arguments = ["actions", "edit", str(mail), "--subject", "Your licences", "--body", "-", "--by", "olive", "--yes"]
    edited = fleet(database_url, *arguments, stdin="Dear Ann,\n\nhow are you?\n{{ 7 * 7 }} Grüße\n".encode())
    assert edited.returncode == 0, edited.stderr
    assert "Dear Ann," in edited.stdout
    with clock.at(NOW):
        fleet(database_url, "actions", "approve", str(mail), "--yes")
    with MailServer() as server:
        run(crm.connection, server.url)
        ((_, message),) = server.received
    assert message["Subject"] == "Your licences"
    assert part_of(message).replace("\r\n", "\n").startswith("Dear Ann,\n\nhow are you?\n{{ 7 * 7 }} Grüße\n")
    assert [decision for decision, _, _ in decisions(crm, mail)] == ["edit", "approve"]


def test_an_editor_gets_the_text_and_what_it_leaves_unchanged_changes_nothing(
    crm: Crm, northwind: UUID, database_url: str, tmp_path: Path
) -> None:
    (mail,) = write(crm, northwind)
    assert "nothing was changed" in fleet(database_url, "actions", "edit", str(mail), "--yes", EDITOR="true").stdout
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i -e 's/Hello/Dear/' -e 's/question/short question/' \"$1\"\n")
    editor.chmod(0o700)
    assert fleet(database_url, "actions", "edit", str(mail), "--yes", EDITOR=str(editor)).returncode == 0
    (row,) = listed(database_url)
    assert row["subject"] == "A short question about our offer"
    assert row["body"].startswith("Dear Ann,")
    crm.execute("UPDATE scheduled_actions SET status = 'sent'")
    too_late = fleet(database_url, "actions", "edit", str(mail), EDITOR=str(tmp_path / "none"))
    assert f"cannot edit {mail} (sent)" in one_line(too_late)
    crm.execute("UPDATE scheduled_actions SET status = 'dead'")
    assert "no editor" in one_line(fleet(database_url, "actions", "edit", str(mail), EDITOR=str(tmp_path / "none")))


def test_many_are_given_another_time_at_once(crm: Crm, northwind: UUID, database_url: str) -> None:
    write(crm, northwind, 3)
    result = fleet(database_url, "actions", "edit", "--engine", "deals", "--at", "2026-03-10T08:00", "--yes")
    assert result.returncode == 0, result.stderr
    assert {row["run_at"] for row in listed(database_url)} == {"2026-03-10T08:00:00+00:00"}
    assert "given another time" in fleet(database_url, "actions", "show", str(crm.actions()[0]["id"])).stdout
