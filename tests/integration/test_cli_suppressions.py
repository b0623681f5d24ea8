"""If these fail, somebody who is not to be written to is, or nobody can tell who said so."""

import json
from typing import Any

import psycopg
import pytest

from tests.crm import Crm, stalled_deal
from tests.shell import fleet, one_line
from workers.db.session import transaction


def listed(database_url: str, *arguments: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(fleet(database_url, "suppressions", "list", "--json", *arguments).stdout)
    return rows


def test_a_mailbox_is_suppressed_in_every_spelling_and_says_who_did_it_and_why(crm: Crm, database_url: str) -> None:
    tenant = stalled_deal(crm)
    crm.contact(tenant, email="Ann+news@acme.example")
    added = fleet(
        database_url, "suppressions", "add", "Northwind", "ANN@acme.example", "--why", "asked by phone", "--by", "olive"
    )
    assert (added.returncode, added.stdout.splitlines()) == (
        0,
        [
            "ann+news@acme.example gets nothing from any engine of Northwind any more",
            "ann@acme.example gets nothing from any engine of Northwind any more",
        ],
    )
    rows = listed(database_url, "--tenant", "Northwind")
    assert {row["address"] for row in rows} == {"ann@acme.example", "ann+news@acme.example"}
    assert {(row["reason"], row["added_by"], row["engines"]) for row in rows} == {("asked by phone", "olive", None)}
    assert rows[0]["created_at"].endswith("+00:00")
    (guard,) = crm.read("action_guards", [crm.action(tenant, recipient="ann@acme.example")])
    assert guard["reason"] == "address is suppressed: asked by phone"

    again = fleet(database_url, "suppressions", "add", "Northwind", "ann@acme.example", "--why", "once more")
    assert "ann@acme.example is suppressed already: asked by phone" in again.stdout


def test_who_is_removed_can_be_written_to_again_and_the_decision_stays(crm: Crm, database_url: str) -> None:
    tenant = stalled_deal(crm)
    crm.execute(
        "INSERT INTO suppressions (tenant_id, address, reason) VALUES (%s, 'ann@acme.example', 'no more')", tenant
    )
    command = ["suppressions", "remove", "Northwind", "Ann@acme.example", "--why", "she asked us back", "--by", "olive"]
    asked = fleet(database_url, *command, stdin=b"n\n")
    assert asked.returncode == 1
    assert ": no more" in asked.stdout
    assert "Let every engine of Northwind write there again?" in asked.stdout
    assert len(listed(database_url)) == 1

    assert fleet(database_url, *command, stdin=b"y\n").returncode == 0
    assert listed(database_url) == []
    (decision,) = crm.rows("SELECT * FROM fleet_decisions")
    assert (decision["item"], decision["decision"], decision["why"], decision["decided_by"]) == (
        "ann@acme.example", "remove", "she asked us back", "olive",
    )  # fmt: skip
    assert decision["before"]["reason"] == "no more"
    assert "is not suppressed at all" in one_line(fleet(database_url, *command, "--yes"))


def test_engines_are_added_and_removed_one_by_one_and_a_word_for_all_is_the_wider(crm: Crm, database_url: str) -> None:
    tenant = crm.tenant()
    for engine in ("deals", "quotes"):
        added = fleet(
            database_url, "suppressions", "add", "Northwind", "bo@acme.example", "--engine", engine, "--why", "no sales"
        )
        assert added.stdout == f"bo@acme.example gets nothing from {engine} of Northwind any more\n"
    assert listed(database_url)[0]["engines"] == ["deals", "quotes"]
    assert len(listed(database_url, "--engine", "quotes")) == 1
    assert listed(database_url, "--engine", "feedback") == []
    remove = ["suppressions", "remove", "Northwind", "bo@acme.example", "--why", "fine", "--yes", "--engine"]
    assert fleet(database_url, *remove, "deals").returncode == 0
    assert listed(database_url)[0]["engines"] == ["quotes"]

    # As an opt-out of the person's own does, whatever stood there before.
    crm.execute(
        "INSERT INTO suppressions (tenant_id, address, reason) VALUES (%s, 'bo@acme.example', 'wants no more mail')"
        " ON CONFLICT (tenant_id, address) DO NOTHING",
        tenant,
    )
    (row,) = listed(database_url)
    assert (row["engines"], row["reason"]) == (None, "wants no more mail")
    assert "is not suppressed for quotes by its name" in one_line(fleet(database_url, *remove, "quotes"))


def test_a_long_list_says_how_long_it_is(crm: Crm, database_url: str) -> None:
    tenant = crm.tenant()
    crm.execute(
        "INSERT INTO suppressions (tenant_id, address, reason)"
        " SELECT %s, n || '@x.example', 'no' FROM generate_series(1, 1112) AS n",
        tenant,
    )
    assert "50 of 1,112" in fleet(database_url, "suppressions", "list").stdout
    assert "none" in fleet(database_url, "suppressions", "list", "--address", "nobody@x.example").stdout


def test_a_suppression_without_address_or_reason_is_refused_in_words(crm: Crm, database_url: str) -> None:
    crm.tenant()
    for arguments, words in (
        (["acme.example", "--why", "no"], "'acme.example' is no e-mail address"),
        (["ann@acme.example", "--why", " "], "--why is empty: a decision needs a reason"),
        (["ann@acme.example", "--why", "no", "--engine", "deal"], "no engine 'deal'"),
    ):
        assert words in one_line(fleet(database_url, "suppressions", "add", "Northwind", *arguments))


@pytest.mark.parametrize("change", ["UPDATE fleet_decisions SET why = 'other'", "DELETE FROM fleet_decisions"])
def test_nobody_rewrites_what_was_decided(crm: Crm, database_url: str, change: str) -> None:
    crm.tenant()
    fleet(database_url, "suppressions", "add", "Northwind", "ann@acme.example", "--why", "asked")
    with transaction(crm.connection), pytest.raises(psycopg.errors.InsufficientPrivilege):
        crm.connection.execute(change)


def test_who_is_suppressed_for_one_engine_is_written_to_by_the_others(crm: Crm, database_url: str) -> None:
    tenant = stalled_deal(crm)
    crm.run("deals")
    (deal,) = crm.actions()
    quote = crm.quote(tenant)
    other = crm.action(tenant, engine="quotes", subject_type="quote", subject_id=quote, recipient="ann@acme.example")
    fleet(
        database_url, "suppressions", "add", "Northwind", "ann@acme.example", "--engine", "quotes", "--why", "no quotes"
    )
    refused = {row["action_id"]: row["reason"] for row in crm.read("action_guards", [deal["id"], other])}
    assert refused == {deal["id"]: None, other: "address is suppressed: no quotes"}
