"""Write down for every pattern of signals and answers the words without which it cannot match.

    python -m training.signal_needs

Run it after a change to the patterns in ``workers/insight/data/signal_patterns.json``, beside which the needs stand,
or in ``answers.json``, whose needs are ``answer_needs.json``: a phrase that it does not know is tried always. Needs are
sets of letters: of each set at least one must occur inside some word of a sentence, or the pattern is not tried.
They are read off the pattern itself, so that nothing is missed; of many sets the four are kept that are met most
rarely in ``data/``.
"""

import json
import re
from collections import Counter
from functools import cache
from importlib import import_module
from typing import Any

from training import DATA, WEIGHTS
from workers.insight.answers import written_out

# The only parser of patterns there is; what it is typed as differs from one release of the stubs to the next.
codes: Any = import_module("re._constants")
parser: Any = import_module("re._parser")
OUT = WEIGHTS / "signal_patterns.json"
ANSWERS, ANSWER_NEEDS = WEIGHTS / "answers.json", WEIGHTS / "answer_needs.json"
KINDS_OF_ANSWERS = ("opt_out", "refusal", "acceptance")
PART = re.compile(r"<([A-Z]+)>")
KEPT = 4

Need = frozenset[str]


@cache
def words() -> Counter[str]:
    """How many lines of the project's own data hold a word."""
    lines = [line for path in sorted(DATA.iterdir()) for line in path.read_text(encoding="utf-8").splitlines()]
    return Counter(word for line in lines for word in set(re.findall("[a-z]+", line.lower())))


@cache
def frequency(need: Need) -> int:
    """How often a need is met."""
    return sum(count for word, count in words().items() if any(letters in word for letters in need))


def needs_of(tree: Any) -> list[Need]:
    """The needs of a parsed pattern; empty if it can match without any word."""
    found: list[Need] = []
    run = ""
    for operation, value in [*tree, (None, None)]:
        if operation is codes.LITERAL:
            run += chr(value).lower()
            continue
        found += [frozenset([letters]) for letters in re.findall("[a-z]+", run)]
        run = ""
        if operation is codes.SUBPATTERN:
            found += needs_of(value[3])
        elif operation is codes.BRANCH:
            branches = [needs_of(branch) for branch in value[1]]
            if all(branches):
                found.append(frozenset().union(*(min(branch, key=frequency) for branch in branches)))
        elif operation in (codes.MAX_REPEAT, codes.MIN_REPEAT) and value[0] > 0:
            found += needs_of(value[2])
    return found


def main() -> None:
    """Bring every pattern's needs up to date."""
    data = json.loads(OUT.read_text(encoding="utf-8"))
    for rule in data["signals"].values():
        described = []
        for entry in rule["patterns"]:
            pattern = entry if isinstance(entry, str) else entry["match"]
            full = PART.sub(lambda match: data["parts"][match[1]], pattern)
            free = {} if isinstance(entry, str) or "free" not in entry else {"free": True}
            described.append({"match": pattern, "needs": rarest_needs(full), **free})
        rule["patterns"] = described
    OUT.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{OUT.name}: {sum(len(rule['patterns']) for rule in data['signals'].values())} patterns")
    write_answer_needs()


def rarest_needs(pattern: str) -> list[str]:
    """The needs that are kept of a pattern, the rarest first; the letters of each with spaces between them."""
    needs = sorted(
        set(needs_of(parser.parse(pattern, re.IGNORECASE))), key=lambda need: (frequency(need), sorted(need))
    )
    return [" ".join(sorted(need)) for need in needs[:KEPT]]


def write_answer_needs() -> None:
    """Bring the needs of the phrases by which answers are known up to date, in each language."""
    needs: dict[str, dict[str, list[str]]] = {}
    for language, rules in json.loads(ANSWERS.read_text(encoding="utf-8"))["languages"].items():
        phrases = [phrase for kind in KINDS_OF_ANSWERS if kind in rules for phrase in rules[kind]["phrases"]]
        needs[language] = {phrase: rarest_needs(written_out(phrase, rules.get("parts", {}))) for phrase in phrases}
    content = {"about": "Of each phrase of answers.json; written by training/signal_needs.py.", "needs": needs}
    ANSWER_NEEDS.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{ANSWER_NEEDS.name}: {sum(map(len, needs.values()))} phrases")


if __name__ == "__main__":
    main()
