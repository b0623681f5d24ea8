"""If these fail, customers' words weigh something else than what was learned of them."""

import pytest

from bench.insight.scores import read as read_cases
from workers.insight.polarity import figures, lexicon, polarity
from workers.insight.tokens import tokenize
from workers.insight.vocabulary import mood_weights, read, signal_weights

TEXTS = [case["text"] for case in read_cases("sentiment_second")[::4]]


def learned_of_mood(name: str) -> complex:
    """What the file of weights says of a word, a denied word or a pair."""
    first, _, second = name.partition(" ")
    if second:
        listed = iter(mood_weights()["pairs"].get(first, "").split())
        found = {word: (bad, good) for word, bad, good in zip(listed, listed, listed, strict=True)}
        bad, good = found.get(second, (0, 0))
    else:
        denied = len(name) > 1 and name[0] == "~"
        values = mood_weights()["words"].get(name[1:] if denied else name, "0 0 0 0").split()
        bad, good = values[2:] if denied else values[:2]
    return complex(int(bad), int(good)) / 10


@pytest.mark.parametrize("texts", [TEXTS, ["Lids, ~ten of them, are not ~ bad", "^ ~~ not ^", "zzz qqq"]])
def test_a_text_says_what_was_learned_of_its_words_and_pairs(texts: list[str]) -> None:
    kinds, rows = signal_weights()["kinds"], signal_weights()["rows"]
    for text in texts:
        tokens = tokenize(text)
        names, pairs = tokens.names(), tokens.pairs()
        mood = sum(learned_of_mood(name) * weight for name, weight in zip(names, tokens.weights, strict=True))
        mood += sum(map(learned_of_mood, pairs))
        listed = [map(int, rows[name].split()) for name in {*names, *pairs} if name in rows]
        signals = tuple(sum(weights) for weights in zip(*listed, strict=True)) or (0,) * len(kinds)
        reading = read(text)
        assert reading is not None
        assert reading.mood == pytest.approx(mood), text
        assert reading.signals == signals, text


def test_no_phrase_of_the_lexicon_is_overheard() -> None:
    values = polarity(mood_weights()["prior"])
    for first, seconds in lexicon().phrases.items():
        for second, tails in seconds.items():
            for tail, _ in tails:
                tokens = tokenize(" ".join(("So", first, second, *tail)))
                reading = read(" ".join(("So", first, second, *tail)))
                assert reading is not None
                assert reading.figures == figures(tokens, [values.get(text) for text in tokens.texts]), tokens.texts
