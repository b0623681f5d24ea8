"""If these fail, the fleet reads the CRM's spelling and not its meaning: won deals are chased."""

import re
import unicodedata
from pathlib import Path

import pytest

from tests.crm import NOW, Crm, days
from tests.sql.test_deals import reachable_deal
from tests.sql.test_feedback import delivered, request_of


def test_a_stage_that_nobody_knows_is_never_acted_on_until_somebody_says_what_it_means(crm: Crm) -> None:
    tenant = crm.tenant("Ours")
    open_, won, waiting = (reachable_deal(crm, tenant, stage=stage) for stage in ("Pitched", "Im Sack", "Nebulös"))
    assert crm.run("deals").tally.due == 0
    unknown = {(row["tenant_name"], row["kind"], row["word"], row["n"]) for row in crm.read("unknown_words")}
    assert unknown == {("Ours", "deal_stage", stage, 1) for stage in ("Pitched", "Im Sack", "Nebulös")}

    crm.read("set_word", tenant, "deal_stage", "PITCHED", "open", "olive")
    crm.read("set_word", tenant, "deal_stage", "im sack", "won", "olive")

    assert [row["word"] for row in crm.read("unknown_words")] == ["Nebulös"]
    assert crm.run("deals").tally.acted == {"deal_follow_up": 1}
    assert [action["subject_id"] for action in crm.actions()] == [open_]
    assert crm.row("deals", won)["follow_up_ended_at"] is not None
    assert crm.row("deals", waiting)["stalled_at"] is None

    # Said wrongly at first, and mended: what was taken out comes back.
    crm.read("set_word", tenant, "deal_stage", "im sack", "open", "olive")
    assert crm.run("deals").tally.acted == {"deal_follow_up": 1}
    # And what has begun stops when its stage turns out to be a closed one.
    crm.send()
    crm.read("set_word", tenant, "deal_stage", "pitched", "lost", "olive")
    [action] = crm.actions(subject_id=open_)
    [verdict] = crm.rows("SELECT reason FROM action_guards(ARRAY[%s::bigint])", action["id"])
    assert verdict["reason"] == "the deal is closed"
    assert crm.run("deals", at=NOW + days(9)).tally.due == 1


@pytest.mark.parametrize(
    "status", ["Cancelled", "CANCELED", "Returned", "return requested", "partially_refunded", "Storniert", "Remboursé"]
)
def test_nobody_is_asked_about_an_order_that_was_cancelled_or_returned_however_it_is_spelled(
    crm: Crm, status: str
) -> None:
    tenant = crm.tenant()
    order = delivered(crm, tenant, contact_id=crm.contact(tenant), status=status)
    crm.run("feedback")
    assert request_of(crm, order)["skip_reason"] == "order is no longer delivered"


@pytest.mark.parametrize(
    ("status", "asked"),
    [("Closed", True), ("Resolved", True), ("Duplicate", True), ("done", True), ("Gelöst", True), ("Escalated", False)],
)
def test_a_case_counts_as_open_by_what_its_status_means(crm: Crm, status: str, asked: bool) -> None:
    tenant = crm.tenant()
    order = delivered(crm, tenant, contact_id=crm.contact(tenant))
    crm.insert("cases", tenant_id=tenant, order_id=order, status=status)
    crm.run("feedback")
    assert (request_of(crm, order)["status"] == "sent") is asked


@pytest.mark.parametrize("kind", ["order_status", "case_status"])
def test_a_status_that_nobody_knows_makes_its_request_wait_and_says_for_what(crm: Crm, kind: str) -> None:
    tenant = crm.tenant()
    order = delivered(crm, tenant, contact_id=crm.contact(tenant))
    if kind == "order_status":
        crm.update("orders", order, status="Zebra")
    else:
        crm.insert("cases", tenant_id=tenant, order_id=order, status="Zebra")
    report = crm.run("feedback")
    assert report.tally.skipped == {"waits for a word that nobody has explained": 1}
    assert request_of(crm, order)["status"] == "pending"
    [aside] = crm.rows("SELECT error FROM items_aside")
    assert aside["error"] == f'nobody has said what the {kind.replace("_", " ")} "Zebra" means'

    crm.read("set_word", tenant, kind, "zebra", "delivered" if kind[0] == "o" else "closed", "olive")
    crm.run("feedback")
    assert request_of(crm, order)["status"] == "sent"


def test_what_crms_ship_is_understood_in_seven_languages(crm: Crm) -> None:
    for line in Path(__file__).with_name("crm_words.txt").read_text().splitlines()[1:]:
        kind, meaning, words = re.split(r":? ", line, maxsplit=2)
        for word in words.split(" | "):
            for spelled in (word, word.upper(), unicodedata.normalize("NFD", word)):
                found = crm.one("SELECT shipped_meaning(%s, %s::text) AS meaning", kind, spelled)["meaning"]
                assert found == meaning, spelled


@pytest.mark.parametrize(
    "word",
    ["Im Sack", "10", "", "Won back?", "Not won", "Wonderful", "Lost and found", "Won / Lost", "Won - again", "(100%)"],
)
def test_a_word_that_only_resembles_a_known_one_means_nothing(crm: Crm, word: str) -> None:
    assert crm.one("SELECT shipped_meaning('deal_stage', %s::text) AS meaning", word)["meaning"] is None


def test_an_order_of_which_half_is_delivered_is_not_delivered(crm: Crm) -> None:
    for word in ("Delivered 50%", "Delivered (50%)", "Open / Delivered"):
        assert crm.one("SELECT shipped_meaning('order_status', %s::text) AS meaning", word)["meaning"] is None


def test_the_same_number_in_front_of_two_stages_does_not_make_them_one(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.read("set_word", tenant, "deal_stage", "1. Call", "open", "olive")
    assert [
        crm.one("SELECT word_meaning(%s, 'deal_stage', %s) AS meaning", tenant, word)["meaning"]
        for word in ("1 call", "2. Call")
    ] == ["open", None]
