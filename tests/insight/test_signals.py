"""A signal that is missed is a lost deal; a false one teaches the owner to ignore them all."""

import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cost import costs_little
from workers.insight.phrases import load
from workers.insight.signal_patterns import SignalType, _rules, hints, matches, vetoes, wake
from workers.insight.signals import MAX_CHARS, detect_signals


def kinds(text: str) -> set[str]:
    return {signal.signal_type for signal in detect_signals(text)}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("The goods arrived damaged and nobody answers the phone.", "complaint"),
        ("I am very disappointed with the last delivery.", "complaint"),
        ("We need the spare part by tomorrow, the line is standing still.", "urgency"),
        ("Our budget for this year is 40,000 euros.", "budget_mention"),
        ("One of your competitors made us a better offer.", "competitor_mention"),
        ("We are opening two new offices and need 20 more licences.", "expansion"),
        ("Our contract expires in March, please send the renewal terms.", "renewal"),
        ("What would the premium plan cost? We want to upgrade to the professional tier.", "upsell"),
        ("A friend of mine is looking for a supplier, may I give him your number?", "referral"),
        ("We want to cancel our subscription at the end of the year.", "churn_risk"),
        ("I will never fly with you again.", "churn_risk"),
        ("Broken again. Never again with this company!", "churn_risk"),
        ("You have just lost a loyal customer.", "churn_risk"),
        ("This was the last time we order from you.", "churn_risk"),
        ("Next time we will go with Halloran.", "churn_risk"),
        ("We won't be coming back.", "churn_risk"),
    ],
)
def test_a_customer_who_speaks_of_a_need_is_heard(text: str, kind: str) -> None:
    assert kind in kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "No problem, Thursday is fine.",
        "I recommend taking the early train.",
        "Click here to continue reading.",
        "Additional information can be found on our website.",
        "If you have any complaints, please contact our service desk.",
        "We have no complaints, thank you.",
        "This is not urgent.",
        "We do not want to cancel anything.",
        "I cancelled the meeting room for Friday.",
        "I have to renew my passport.",
        "We don't need additional licences at the moment.",
        "Sorry for the delay on our side.",
        "Please find attached the signed delivery note.",
        "",
    ],
)
def test_ordinary_business_is_no_signal(text: str) -> None:
    assert kinds(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "On hold for an hour and then cut off.",
        "The seat was broken and the crew just shrugged.",
        "Third week without internet, and your line only plays music.",
        "Paid for express and it took nine days.",
    ],
)
def test_a_short_complaint_without_the_word_is_heard(text: str) -> None:
    assert "complaint" in kinds(text)


@pytest.mark.parametrize(
    "text", ["I quit.", "We're out.", "Close my account.", "Not renewing.", "You have lost a customer."]
)
def test_a_customer_who_leaves_in_three_words_is_at_risk(text: str) -> None:
    assert "churn_risk" in kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "Please cancel my transfer from this morning.",
        "How do I cancel a payment that is pending?",
        "Can you cancel the order for the second pump?",
        "I quit smoking in May.",
        "My colleague left the firm in March.",
        "I won't be back in the office before Monday.",
        "I will never order anywhere else again, you are the best.",
        "We never had to call anybody again.",
        "Next time I will bring my colleague along.",
    ],
)
def test_who_cancels_something_else_stays(text: str) -> None:
    assert "churn_risk" not in kinds(text)


@pytest.mark.parametrize("text", ["Cancel our standing order.", "I want to cancel my order and close my account."])
def test_who_cancels_what_binds_him_does_not_stay(text: str) -> None:
    assert "churn_risk" in kinds(text)


def test_a_rival_that_is_only_named_is_heard() -> None:
    assert "competitor_mention" in kinds("Orbix does that for free.")


def test_one_sentence_may_carry_two_signals() -> None:
    text = "This is the third wrong invoice, and we will not renew the contract."
    assert {"complaint", "churn_risk"} <= kinds(text)


def test_a_newsletter_says_nothing() -> None:
    assert kinds("Upgrade now to our premium plan!\n\nYou can unsubscribe at any time.") == set()


def test_quoted_mail_is_not_the_customers_word() -> None:
    assert kinds("Thanks, all fine.\n\n> We want to cancel our contract.\n> This is urgent.") == set()
    assert kinds("Thanks.\n\n-----Original Message-----\nFrom: Bob\nWe want our money back.") == set()


def test_small_print_is_not_the_customers_word() -> None:
    assert kinds("See you.\n\nThis confidential message may mention our budget of 10,000 euros.") == set()


def test_a_customer_who_will_not_renew_is_at_risk_and_not_renewing() -> None:
    assert kinds("We have decided not to renew our contract.") == {"churn_risk"}


def test_evidence_is_what_the_customer_wrote() -> None:
    text = "Hello,\nplease CANCEL our subscription as of June."
    (signal,) = detect_signals(text)
    assert signal.evidence in text
    assert "CANCEL" in signal.evidence


def test_each_type_comes_once_with_its_count() -> None:
    text = "The parcel arrived damaged. I am very disappointed. This is not acceptable. This is not acceptable."
    (signal,) = detect_signals(text)
    assert signal.signal_type == "complaint"
    assert signal.keyword_count == 3


def test_every_type_has_a_rule() -> None:
    assert tuple(vetoes()) == get_args(SignalType)


def test_no_shortcut_hides_a_signal() -> None:
    data = Path(__file__).resolve().parents[2] / "training" / "data" / "signals.txt"
    rules = load("signal_patterns")["signals"].values()
    triggers = " ".join(trigger for rule in rules for trigger in [*rule["triggers"], *rule["words"]])
    for line in data.read_text(encoding="utf-8").splitlines()[::16]:  # all of them take a minute
        sentence = line.partition("|")[2][:300]
        hinted = hints(f"{sentence} {triggers}")
        awake = {id(pattern) for kind in vetoes() for pattern in wake(hinted, kind)}
        hidden = [pattern for pattern in _rules().patterns if id(pattern) not in awake]
        assert not list(matches(sentence, hidden))


def test_no_pattern_waits_for_capitals_that_a_folded_sentence_has_not() -> None:
    rules = load("signal_patterns")
    written = [*rules["parts"].values(), *(veto for rule in rules["signals"].values() for veto in rule["veto"])]
    written += [entry["match"] for rule in rules["signals"].values() for entry in rule["patterns"]]
    for pattern in written:
        letters = re.sub(r"\\[A-Z]|<[A-Z]+>", "", pattern)
        assert "(?-i:" in pattern or letters == letters.lower(), pattern


def test_capitals_hide_no_signal() -> None:
    for text in ("We will cancel our contract.", "The parcel is broken again, this is unacceptable."):
        assert kinds(text) == kinds(text.upper()) != set()


@given(st.text(max_size=3_000))
def test_any_text_is_read_within_its_contract(text: str) -> None:
    signals = detect_signals(text)
    assert len({signal.signal_type for signal in signals}) == len(signals)
    assert all(signal.evidence and len(signal.evidence) <= 160 and signal.keyword_count >= 1 for signal in signals)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        " ",
        "\n",
        "we need more ",
        "cancel our our our ",
        "budget budget ",
        "not not not ",
        "we are also also ",
        "on a",
        "another quote from another vendor ",
        "still no still no ",
        "the order the order was ",
        "1,",
        "from: ",
        "-",
    ],
)
def test_a_huge_hostile_text_is_cheap(piece: str) -> None:
    huge = piece * (100_000 // len(piece))
    assert detect_signals(huge) == detect_signals(huge[:MAX_CHARS])
    assert costs_little(lambda: detect_signals(huge))
