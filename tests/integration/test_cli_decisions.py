"""What an operator decides for a tenant: what its words mean, and that it rests."""

import json

from tests.crm import Crm, stalled_deal
from tests.shell import fleet, one_line


def test_an_unknown_word_is_listed_explained_and_taken_back(crm: Crm, database_url: str) -> None:
    tenant = stalled_deal(crm, stage="Im Sack")
    crm.update("tenants", tenant, name="Northwind")
    [unknown] = json.loads(fleet(database_url, "words", "unknown", "--json").stdout)
    assert (unknown["tenant_name"], unknown["kind"], unknown["word"], unknown["n"]) == (
        "Northwind", "deal_stage", "Im Sack", 1,
    )  # fmt: skip

    said = fleet(database_url, "words", "set", "Northwind", "deal_stage", "IM-SACK", "won", "--by", "olive")
    assert (said.returncode, said.stdout) == (0, "deal_stage 'IM-SACK' means won\n")
    assert json.loads(fleet(database_url, "words", "unknown", "--json").stdout) == []
    [word] = json.loads(fleet(database_url, "words", "list", "--tenant", "Northwind", "--json").stdout)
    assert (word["word"], word["meaning"], word["decided_by"]) == ("imsack", "won", "olive")

    assert fleet(database_url, "words", "unset", "Northwind", "deal_stage", "im sack").returncode == 0
    assert len(json.loads(fleet(database_url, "words", "unknown", "--json").stdout)) == 1


def test_what_cannot_be_a_meaning_is_refused_in_words(crm: Crm, database_url: str) -> None:
    crm.tenant("Northwind")
    for arguments, words in (
        (["Northwind", "deal_stage", "x", "closed"], "a deal_stage means open, won, lost, not 'closed'"),
        (
            ["Northwind", "deal", "x", "open"],
            "no kind of words 'deal': there are deal_stage, order_status, case_status",
        ),
        (["Northwind", "deal_stage", " - ", "open"], "' - ' has no letter that would count"),
        (["Nobody", "deal_stage", "x", "open"], "no tenant 'Nobody'"),
    ):
        assert words in one_line(fleet(database_url, "words", "set", *arguments))


def test_the_operator_stops_a_tenants_engine_and_resumes_it(crm: Crm, database_url: str) -> None:
    tenant = stalled_deal(crm)
    crm.update("tenants", tenant, name="Northwind")
    stopped = fleet(database_url, "tenants", "stop", "Northwind", "--engine", "deals", "--reason", "complaints")
    assert (stopped.returncode, stopped.stdout) == (0, "deals of Northwind is stopped: complaints\n")
    assert crm.due_tenants("deals") == set()
    assert "deals: complaints" in fleet(database_url, "tenants", COLUMNS="200").stdout

    assert fleet(database_url, "tenants", "resume", "Northwind", "--engine", "deals").returncode == 0
    assert crm.due_tenants("deals") == {tenant}
    assert "is not stopped" in one_line(fleet(database_url, "tenants", "resume", "Northwind"))
    assert "no engine 'deal'" in one_line(
        fleet(database_url, "tenants", "stop", "Northwind", "--engine", "deal", "--reason", "x")
    )
