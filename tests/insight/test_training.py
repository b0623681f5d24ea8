"""A figure that was earned by learning the test by heart promises what nobody will see."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 1_000_000  # bytes; a clone stays small, and a review can open the file


def plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


@pytest.mark.parametrize("name", ["sentiment", "sentiment_second", "signals", "signals_second"])
def test_no_figure_is_flattered_by_a_sentence_that_was_trained_on(name: str) -> None:
    lines = [
        line.partition("|")[2].replace("\\n", "\n")
        for path in (ROOT / "training" / "data").glob("*.txt")
        for line in path.read_text(encoding="utf-8").splitlines()
    ]
    trained = {plain(line) for line in lines}
    measured = (ROOT / "bench" / "insight" / "data" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    assert [case["text"] for case in map(json.loads, measured) if plain(case["text"]) in trained] == []


def test_no_file_of_weights_or_texts_is_too_large_to_read() -> None:
    folders = (ROOT / "training" / "data", ROOT / "workers" / "insight" / "data")
    assert [path.name for folder in folders for path in folder.iterdir() if path.stat().st_size > LARGEST] == []
