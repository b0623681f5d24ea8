"""If these fail, what a mail program writes above an answer is taken for the customer's own words."""

import pytest

from workers.insight.absence import is_away
from workers.insight.answers import kind_of_answer
from workers.insight.subjects import FORWARD_MARKS, REPLY_MARKS, unmarked

OURS = "Please cancel my subscription"  # what a tenant may write above a letter of his own


@pytest.mark.parametrize(
    "subject",
    [
        f"Re: {OURS}", f"RE : {OURS}", f"re[2]: {OURS}", f"R: {OURS}", f"RES: {OURS}", f"回复：{OURS}", f"Ynt: {OURS}",
        f"[EXTERNAL] Re: {OURS}", f"[EXTERNAL E-MAIL] AW: [EXT] {OURS}", f"***SPAM*** Sv: {OURS}", f"Ext: Re: {OURS}",
        f"[sales] Antw: {OURS}", f"Odp: RE: SV: {OURS}", f"  Rép : {OURS}", f"Отв: {OURS}", f"(External) VÁ: {OURS}",
    ],
)  # fmt: skip
def test_a_subject_that_is_answered_is_not_the_customers_own(subject: str) -> None:
    mark, rest = unmarked(subject)
    assert mark in REPLY_MARKS
    assert rest == OURS
    assert kind_of_answer("Thank you, we will see.", subject, "en").kind == "other"


@pytest.mark.parametrize("mark", ["Fwd", "WG", "TR", "RV", "Enc", "I", "İLT", "转发", "Πρθ"])
def test_a_subject_that_is_passed_on_is_told_from_one_that_is_answered(mark: str) -> None:
    found, rest = unmarked(f"{mark}: {OURS}")
    assert found in FORWARD_MARKS
    assert rest == OURS


@pytest.mark.parametrize(
    "subject", [OURS, f"Important: {OURS}", f"[Acme] {OURS}", f"Order 12: {OURS}", f"Spam: {OURS}", "", ":", "[", "Re"]
)
def test_what_the_customer_wrote_himself_stays(subject: str) -> None:
    assert unmarked(subject) == ("", subject)


@pytest.mark.parametrize("subject", ["[EXTERNAL] Automatic reply: Your quote", "RES: Resposta automática: Proposta"])
def test_an_absence_note_is_known_behind_a_gateways_tag(subject: str) -> None:
    assert is_away(subject, "")
