"""A missed unhappy customer is the costly error; a happy one called unhappy wastes an owner's morning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cost import costs_little
from workers.insight.sentiment import KEY_ISSUES, UNHAPPY_AT, Sentiment, score_sentiment
from workers.insight.tokens import MAX_CHARS, MAX_TOKENS, tokenize


@pytest.mark.parametrize(
    "text",
    [
        "Great team, but late again.",
        "Great, another delay.",
        "The delivery was late and two boxes were damaged.",
        "I would never order from you again.",
        "It stopped working after a week.",
        "Nobody answers my calls.",
        "We are not happy with the result.",
        "THIS IS NOT ACCEPTABLE!!!",
        "👎",
        "The waiter never came back.",
        "The desks have not arrived and I'm annoyed.",
        "No reply in two weeks, and we are furious.",
        "What a waste of money :(",
    ],
)
def test_an_unhappy_customer_is_seen(text: str) -> None:
    judged = score_sentiment(text)
    assert judged.label == "negative"
    assert judged.score < 0


@pytest.mark.parametrize(
    "text",
    [
        "Not bad at all.",
        "No problems at all, everything was on time.",
        "I have no complaints, thank you.",
        "The start was slow, but your team made up for it, excellent work!",
        "You will not regret buying it.",
        "Works like a charm 😊",
        "Perfect, thank you!",
        "Could not be happier with the new desks.",
    ],
)
def test_a_happy_customer_is_left_in_peace(text: str) -> None:
    judged = score_sentiment(text)
    assert judged.label == "positive"
    assert judged.score > 0
    assert judged.key_issues == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n\t",
        "Please find the delivery note attached.",
        "Could you send me the data sheet?",
        "The order number is 4711.",
        "We received the parcel on Tuesday.",
    ],
)
def test_business_as_usual_is_neutral(text: str) -> None:
    assert score_sentiment(text).label == "neutral"


def test_an_empty_text_says_nothing() -> None:
    judged = score_sentiment("")
    assert (judged.score, judged.key_issues) == (0.0, ())


@pytest.mark.parametrize(
    ("text", "issue"),
    [
        ("The drill doesn't work.", "quality"),
        ("The filters didn't arrive.", "delivery"),
        ("The parcel came two weeks late.", "timeliness"),
        ("The handle broke on the first day, poor quality.", "quality"),
        ("Nobody replied to my emails, I am fed up.", "communication"),
        ("You overcharged us and it is far too expensive.", "pricing"),
        ("Your driver was rude.", "service"),
        ("Two items were missing and one was damaged.", "delivery"),
    ],
)
def test_the_owner_learns_what_went_wrong(text: str, issue: str) -> None:
    assert issue in score_sentiment(text).key_issues


def test_issues_of_a_mixed_reply_come_from_its_unhappy_part() -> None:
    text = "The quality is wonderful, but the delivery was late and nobody answered my calls."
    judged = score_sentiment(text)
    assert judged.label == "negative"
    assert {"timeliness", "communication"} <= set(judged.key_issues)
    assert "quality" not in judged.key_issues


def test_courtesy_around_a_complaint_does_not_hide_it() -> None:
    text = (
        "Hi Anna,\n\nthank you for your message. We received the chairs on Tuesday. Three of them are "
        "scratched and one has a broken leg. I have called twice and nobody could help. Please send others."
        "\n\nMany thanks and kind regards\nJohn"
    )
    assert score_sentiment(text).label == "negative"


def test_the_end_of_a_long_praise_is_still_praise() -> None:
    text = (
        "Hello, I wanted to tell you that the installation went really well. Your people arrived "
        "at eight, worked quietly and left everything clean. The machine runs perfectly and our "
        "operators love it. "
        "Could you send the invoice to our new address?"
    )
    assert score_sentiment(text).label == "positive"


@pytest.mark.parametrize(
    ("plain", "emphatic"),
    [
        ("it was late", "it was late!!"),
        ("it was late", "it was really late!!"),
        ("the answer was unfriendly", "the answer was so unfriendly!"),
        ("bad service", "really BAD service!!!"),
    ],
)
def test_emphasis_makes_a_complaint_no_milder(plain: str, emphatic: str) -> None:
    assert score_sentiment(emphatic).score <= score_sentiment(plain).score


def test_emphasis_adds_to_praise() -> None:
    assert score_sentiment("nice").score < score_sentiment("very nice!").score


@given(st.text(max_size=3_000))
def test_any_text_gets_a_judgement_within_its_contract(text: str) -> None:
    judged = score_sentiment(text)
    assert judged.label in {"positive", "neutral", "negative"}
    assert -1.0 <= judged.score <= 1.0
    assert judged.score == round(judged.score, 2)
    assert list(judged.key_issues) == [issue for issue in KEY_ISSUES if issue in judged.key_issues]
    assert judged == score_sentiment(text)


@given(
    st.lists(st.sampled_from(["not", "but", "great", "late", "!", "?", ":)", "\n", ".", "n't", "@", "'", "https://"]))
)
def test_hostile_arrangements_of_cues_are_judged(words: list[str]) -> None:
    judged = score_sentiment(" ".join(words))
    assert (judged.label == "negative") <= (judged.score <= 0)
    assert (judged.label == "positive") <= (judged.score >= 0)


@pytest.mark.parametrize(
    "piece",
    ["a", "!", "not ", "but ", ":(", "https://", "@a", "a'", ".\n", "(", "very late again. ", "\u0301", "1,"],
)
def test_a_huge_hostile_text_costs_no_more_than_its_first_part(piece: str) -> None:
    huge = piece * (100_000 // len(piece))
    assert score_sentiment(huge) == score_sentiment(huge[:MAX_CHARS])
    assert len(tokenize(huge)) <= MAX_TOKENS + 1
    assert costs_little(lambda: score_sentiment(huge))


def test_thanks_that_never_end_cost_no_more_than_other_sentences() -> None:
    thanks = f"We waited for the desks. {'Thanks' + ' for the' * 22}?and all that."
    assert score_sentiment(thanks).label != "positive"
    assert costs_little(lambda: score_sentiment(thanks))


@pytest.mark.parametrize(
    "text",
    [
        "Sorry for the late reply. We love the desks.",
        "Apologies for the delay in getting back, everything was fine.",
        "Sorry for my late answer, all good.",
    ],
)
def test_an_apology_of_the_writer_is_no_complaint(text: str) -> None:
    assert score_sentiment(text).label == "positive"
    assert score_sentiment(text).key_issues == ()


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("9/10", "positive"),
        ("4 out of 5!", "positive"),
        ("I'd give it 5 stars.", "positive"),
        ("3 stars", "neutral"),
        ("2/10", "negative"),
        ("1 star", "negative"),
        ("one star", "negative"),
        ("1/5", "negative"),
        ("Two out of ten.", "negative"),
        ("⭐", "negative"),
        ("★☆☆☆☆", "negative"),
        ("★★★☆☆", "neutral"),
        ("1 ⭐", "negative"),
        ("Not a single star.", "negative"),
        ("2.5/5", "neutral"),
        ("⭐⭐⭐⭐⭐", "positive"),
        ("1/5. The rest I told your driver.", "negative"),
        ("One star, and that is for the biscuits.", "negative"),
        ("Five stars from the whole workshop!", "positive"),
    ],
)
def test_points_and_stars_are_an_answer(text: str, label: str) -> None:
    assert score_sentiment(text).label == label


@pytest.mark.parametrize("text", ["9", "One.", "☆☆☆☆☆"])
def test_a_number_out_of_nothing_says_nothing(text: str) -> None:
    assert score_sentiment(text) == Sentiment("neutral", 0.0, ())


@pytest.mark.parametrize("text", ["The meeting was moved to 1/5.", "Is there a two star hotel near the site?"])
def test_a_date_or_a_hotel_gives_no_points(text: str) -> None:
    assert score_sentiment(text).label == "neutral"


@pytest.mark.parametrize(
    "text",
    [
        "I do not think I will come back.",
        "I don't believe we would ever be ordering here again.",
        "We did not like the new cups.",
        "Can't say that I plan to return.",
    ],
)
def test_who_does_not_think_of_coming_back_is_unhappy(text: str) -> None:
    assert score_sentiment(text).label == "negative"


@pytest.mark.parametrize(
    "text",
    [
        "On hold for fifty minutes, then the line went dead.",
        "Two weeks on and still no reply from your office.",
        "Your fitter left before the unit was running.",
        "Three of the four boxes were empty.",
    ],
)
def test_who_tells_what_happened_without_a_word_of_mood_is_unhappy(text: str) -> None:
    assert score_sentiment(text).label == "negative"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("#neveragain", "negative"),
        ("#WorstServiceEver", "negative"),
        ("#verydisappointed", "negative"),
        ("#bestservice", "positive"),
        ("#4711 is the order number.", "neutral"),
    ],
)
def test_a_hashtag_is_read_as_its_words(text: str, label: str) -> None:
    assert score_sentiment(text).label == label


@pytest.mark.parametrize(
    "text",
    [
        "Price wise it is the same as last year.",
        "The two titles cost 40 and 60 euros respectively.",
        "Which cut of steel did you use?",
    ],
)
def test_a_word_of_praise_or_blame_in_another_sense_is_no_mood(text: str) -> None:
    assert score_sentiment(text).label == "neutral"


def test_an_unhappy_customer_is_looked_after_even_if_the_label_is_neutral() -> None:
    assert Sentiment("neutral", UNHAPPY_AT, ()).unhappy
    assert not Sentiment("neutral", 0.0, ()).unhappy
    assert score_sentiment("Nobody rang back and the tap still drips.").unhappy
    assert not score_sentiment("Lovely work, thank you.").unhappy


@pytest.mark.parametrize(
    ("text", "label"),
    [("Met our expectations perfectly.", "positive"), ("La Piazza disappoints. Bland, overpriced.", "negative")],
)
def test_a_foreign_name_in_english_is_no_foreign_language(text: str, label: str) -> None:
    assert score_sentiment(text).label == label
