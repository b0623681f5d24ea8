"""Train the weights of `workers.insight.signature_lines` and say how good they are on senders never seen.

Run `python -m training.signature`; it needs scikit-learn and the folder FLEET_JUDGEMENT_DIR with
signatures/forge.jsonl (Enron mails with labelled signature lines, mailgun/forge, CC BY 3.0). The mails stay where
they are; only the weights are written, to workers/insight/data/signature_weights.json.
"""

import json
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from training import PUBLIC, WEIGHTS
from training.signature_samples import Sample, make_samples
from workers.insight import signature_lines
from workers.insight.contact_words import sender_tokens
from workers.insight.footers import footer_start
from workers.insight.signature_features import line_features

SEED = 20_250_304
FOLDS = 7
MADE = 600
THRESHOLD = 1.0
# A public mail counts for three made ones: it is what people really write.
PUBLIC_WEIGHT = 3.0
SMALLEST = 0.02
OUTPUT = WEIGHTS / "signature_weights.json"
SOURCE = (
    "Logistic regression over line features. Learned from mailgun/forge (Enron mails with labelled signature "
    "lines), CC BY 3.0, and from made mails (training/signature_samples.py)."
)


def load_forge() -> list[Sample]:
    """Read the public set; empty if the folder is not there."""
    path = PUBLIC / "signatures" / "forge.jsonl"
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [Sample(row["sender"], tuple(row["body"].split("\n")), frozenset(row["signature_lines"])) for row in rows]


def train(samples: Sequence[Sample], weights: Sequence[float]) -> dict[str, float]:
    """Fit line weights; `weights` says how much each sample counts."""
    rows: list[dict[str, float]] = []
    labels: list[bool] = []
    counts: list[float] = []
    for sample, weight in zip(samples, weights, strict=True):
        end = footer_start(sample.lines)
        shown = [(number, sample.lines[number]) for number in range(end) if sample.lines[number].strip()]
        features = line_features(shown, sample.lines, sample.sender)
        for (number, _), names in zip(shown[-len(features) :], features, strict=bool(features)):
            rows.append(dict.fromkeys(names, 1.0))
            labels.append(number in sample.signature)
            counts.append(weight)
    # Only training needs scikit-learn, which ships no types.
    vectorizer: Any = import_module("sklearn.feature_extraction").DictVectorizer()
    matrix = vectorizer.fit_transform(rows)
    model: Any = import_module("sklearn.linear_model").LogisticRegression(C=0.5, max_iter=2_000, random_state=SEED)
    model.fit(matrix, labels, sample_weight=counts)
    fitted = dict(zip(vectorizer.get_feature_names_out(), model.coef_[0], strict=True))
    fitted["bias"] = fitted.get("bias", 0.0) + float(model.intercept_[0])
    return {name: round(float(value), 3) for name, value in sorted(fitted.items()) if abs(value) >= SMALLEST}


def predictions(samples: Sequence[Sample], weights: dict[str, float], threshold: float) -> list[frozenset[int]]:
    """What `find_signature` says with these weights."""
    kept = signature_lines._WEIGHTS, signature_lines._THRESHOLD  # noqa: SLF001 - the trainer owns the weights
    signature_lines._WEIGHTS, signature_lines._THRESHOLD = weights, threshold  # type: ignore[misc]  # noqa: SLF001
    try:
        return [frozenset(signature_lines.find_signature(s.lines, s.sender)) for s in samples]
    finally:
        signature_lines._WEIGHTS, signature_lines._THRESHOLD = kept  # type: ignore[misc]  # noqa: SLF001


def cross_validate(samples: Sequence[Sample], made: Sequence[Sample], threshold: float) -> list[frozenset[int]]:
    """Predict every public mail with weights learned without any mail of the same sender."""
    groups = [_group(sample) for sample in samples]
    order = sorted(set(groups))
    answers: list[frozenset[int]] = [frozenset()] * len(samples)
    for fold in range(FOLDS):
        held = {group for index, group in enumerate(order) if index % FOLDS == fold}
        rest = [sample for sample, group in zip(samples, groups, strict=True) if group not in held]
        learned = train([*rest, *made], [PUBLIC_WEIGHT] * len(rest) + [1.0] * len(made))
        tested = [index for index, group in enumerate(groups) if group in held]
        found = predictions([samples[index] for index in tested], learned, threshold)
        for index, answer in zip(tested, found, strict=True):
            answers[index] = answer
    return answers


def score(samples: Sequence[Sample], answers: Sequence[frozenset[int]]) -> dict[str, float]:
    """Line precision, recall and F1, and the share of unsigned mails with any line found."""
    hits = sum(len(answer & sample.signature) for sample, answer in zip(samples, answers, strict=True))
    found = sum(map(len, answers))
    wanted = sum(len(sample.signature) for sample in samples)
    unsigned = [bool(answer) for sample, answer in zip(samples, answers, strict=True) if not sample.signature]
    precision, recall = hits / (found or 1), hits / (wanted or 1)
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / ((precision + recall) or 1),
        "false_alarms": sum(unsigned) / (len(unsigned) or 1),
        "n": len(samples),
    }


def _group(sample: Sample) -> str:
    """The Enron mails of one person come under several spellings: the last name tells them apart."""
    return " ".join(sorted(sender_tokens(sample.sender)))[:60].split(" ")[-1]


def main() -> None:
    """Cross-validate, train on everything, write the weights."""
    samples, made = load_forge(), make_samples(MADE, SEED)
    for threshold in (0.0, 0.5, 1.0, 1.5, 2.0):
        figures = score(samples, cross_validate(samples, made, threshold))
        print(threshold, {name: round(value, 3) for name, value in figures.items()})
    weights = train([*samples, *made], [PUBLIC_WEIGHT] * len(samples) + [1.0] * len(made))
    body = json.dumps({"source": SOURCE, "threshold": THRESHOLD, "weights": weights}, ensure_ascii=False, indent=1)
    OUTPUT.write_text(body + "\n", "utf-8")


if __name__ == "__main__":
    main()
