"""Score signatures: the lines that sign a mail, and the fields they hold."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from bench.insight.reply import LANGUAGES
from training import PUBLIC
from training.signature_samples import Sample, make_samples
from workers.insight.quoting import part_lines
from workers.insight.signature import find_signature, parse_signature

__all__ = ["evaluate"]

DATA = Path(__file__).parent / "data"
FIELDS = ("name", "title", "company", "phone", "mobile", "email", "linkedin", "website", "address")

Finder = Callable[[Sequence[str], str], frozenset[int]]


def evaluate() -> dict[str, Any]:
    """Score lines and fields of every system on the own sets, and lines on the public one, cross-validated.

    Returns:
        `{"name", "rows", "notes"}`. The rows "false alarms" hold in `recall` the share of unsigned mails in which
        a system sees a signature (lower is better), and in `n` the number of those mails.
    """
    notes = ["own, second, third: written here and not trained on; public: Enron mails (mailgun/forge, CC BY 3.0)."]
    rows: list[dict[str, Any]] = []
    names = {"own": "signatures", "second": "signatures_second", "third": "signatures_third"}
    for label, name in names.items():
        mails = [json.loads(line) for line in (DATA / f"{name}.jsonl").read_text("utf-8").splitlines()]
        rows.extend(_own_rows(label, mails, notes))
    if (PUBLIC / "signatures" / "forge.jsonl").exists():
        rows.extend(_public_rows(notes))
    else:
        notes.append(f"No public set: {PUBLIC / 'signatures' / 'forge.jsonl'} is missing.")
    return {"name": "signature", "rows": rows, "notes": notes}


def _own_rows(label: str, mails: Sequence[dict[str, Any]], notes: list[str]) -> Iterator[dict[str, Any]]:
    samples = []
    for mail in mails:
        lines = mail["text"].split("\n")
        own = set(part_lines(lines).own)
        kept = tuple(line if number in own else "" for number, line in enumerate(lines))
        samples.append(Sample(mail["sender"], kept, frozenset(mail["signature_lines"])))
    for system, finder in _finders(notes).items():
        yield from _line_rows(system, label, samples, [finder(s.lines, s.sender) for s in samples])
    for system, read in {"fleet": _fleet_fields, "keywords": _plain_fields}.items():
        yield from _field_rows(system, label, mails, read)


def _public_rows(notes: list[str]) -> Iterator[dict[str, Any]]:
    trainer = import_module("training.signature")
    samples: list[Sample] = trainer.load_forge()
    if find_spec("sklearn"):
        made = make_samples(trainer.MADE, trainer.SEED)
        answers = trainer.cross_validate(samples, made, trainer.THRESHOLD)
        yield from _line_rows("fleet", "public, held-out senders", samples, answers)
    else:
        notes.append("scikit-learn is not installed: no cross-validated figure on the public set.")
    for system, finder in _finders(notes).items():
        if system != "fleet":
            answers = [finder(s.lines, s.sender) for s in samples]
            yield from _line_rows(system, "public", samples, answers)


def _line_rows(
    system: str, label: str, samples: Sequence[Sample], answers: Sequence[frozenset[int]]
) -> Iterator[dict[str, Any]]:
    hits = sum(len(answer & sample.signature) for sample, answer in zip(samples, answers, strict=True))
    found = sum(map(len, answers))
    wanted = sum(len(sample.signature) for sample in samples)
    yield _row(system, f"lines, {label}", hits, found - hits, wanted - hits, count=len(samples))
    alarms = [bool(answer) for sample, answer in zip(samples, answers, strict=True) if not sample.signature]
    share = round(sum(alarms) / len(alarms), 3)
    yield {
        "system": system,
        "class": f"false alarms, {label}",
        "precision": 0.0,
        "recall": share,
        "f1": 0.0,
        "n": len(alarms),
    }


def _field_rows(
    system: str, label: str, mails: Sequence[dict[str, Any]], read: Callable[[dict[str, Any]], dict[str, str]]
) -> Iterator[dict[str, Any]]:
    hits: Counter[str] = Counter()
    extra: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    for mail in mails:
        found = read(mail)
        for field in FIELDS:
            got, want = found.get(field), mail["fields"].get(field)
            right = got is not None and want is not None and _same(field, got, want)
            hits[field] += right
            extra[field] += got is not None and not right
            missed[field] += want is not None and not right
    for field in FIELDS:
        wanted = hits[field] + missed[field]
        yield _row(system, f"{field}, {label}", hits[field], extra[field], missed[field], count=wanted)
    yield _row(system, f"fields, {label}", hits.total(), extra.total(), missed.total(), count=len(mails))


def _row(system: str, label: str, hits: int, extra: int, missed: int, *, count: int) -> dict[str, Any]:
    precision, recall = hits / ((hits + extra) or 1), hits / ((hits + missed) or 1)
    f1 = 2 * precision * recall / ((precision + recall) or 1)
    figures = {"precision": round(precision, 3), "recall": round(recall, 3), "f1": round(f1, 3)}
    return {"system": system, "class": label, **figures, "n": count}


def _same(field: str, got: str, want: str) -> bool:
    if field in {"website", "linkedin"}:
        bare = [re.sub(r"^(?:https?://)?(?:www\.)?", "", url.lower()).rstrip("/") for url in (got, want)]
        return bare[0] == bare[1]
    return re.sub(r"[\W_]", "", got.casefold()) == re.sub(r"[\W_]", "", want.casefold())


def _finders(notes: list[str]) -> dict[str, Finder]:
    finders: dict[str, Finder] = {
        "fleet": lambda lines, sender: frozenset(find_signature(lines, sender)),
        "keywords": lambda lines, _: _plain_lines(lines),
    }
    if find_spec("mailparser_reply"):
        parser: Any = import_module("mailparser_reply").EmailReplyParser(languages=LANGUAGES)
        finders["mail-parser-reply"] = lambda lines, _: _library_lines(parser, lines)
    elif "mail-parser-reply is not installed." not in notes:
        notes.append("mail-parser-reply is not installed.")
    return finders


def _library_lines(parser: Any, lines: Sequence[str]) -> frozenset[int]:
    replies = parser.read("\n".join(lines)).replies
    signature = {line.strip() for line in (replies[0].signatures or "").split("\n")} if replies else set()
    return frozenset(number for number, line in enumerate(lines) if line.strip() and line.strip() in signature)


_CLOSES = re.compile(
    r"^\s*(?:--|__|thanks[\s,!]*$|regards|cheers|best[ a-z]*[\s,!]*$|sincerely|thank you[\s,!]*$|sent from)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\+?\d[\d ().-]{6,}\d")


def _plain_lines(lines: Sequence[str]) -> frozenset[int]:
    """The common rules: in the last eleven lines with text, from the first that closes to the end."""
    shown = [number for number, line in enumerate(lines) if line.strip()]
    tail = shown[1:][-11:]
    start = next((index for index, number in enumerate(tail) if _CLOSES.match(lines[number])), len(tail))
    return frozenset(tail[start:])


def _fleet_fields(mail: dict[str, Any]) -> dict[str, str]:
    signature = parse_signature(mail["text"], mail["sender"], mail["region"])
    found = {field: getattr(signature, field) for field in FIELDS}
    return {field: value.value for field, value in found.items() if value is not None}


_TITLES = re.compile(
    r"\b(?:manager|director|ceo|cto|cfo|coo|vp|president|engineer|head of|officer|lead|owner|founder)\b",
    re.IGNORECASE,
)
_COMPANIES = re.compile(r"\b(?:inc|llc|ltd|corp|gmbh|company|group)\b", re.IGNORECASE)


def _plain_fields(mail: dict[str, Any]) -> dict[str, str]:
    """Plain patterns over the last fifteen lines, as simple systems do it."""
    import phonenumbers  # noqa: PLC0415 - the baseline reads what the region's library reads

    lines = [line.strip() for line in mail["text"].split("\n") if line.strip()][-15:]
    text = "\n".join(lines)
    patterns = {
        "email": r"[\w.+-]+@[\w-]+\.[\w.-]+\w",
        "linkedin": r"(?:https?://)?(?:www\.)?linkedin\.com/in/[\w-]+/?",
        "website": r"(?:https?://|www\.)[^\s<>|)]+",
    }
    found = {name: match[0] for name, pattern in patterns.items() if (match := re.search(pattern, text))}
    for line in lines:
        kind = "mobile" if re.match(r"(?:m|mob|mobile|cell)\b", line, re.IGNORECASE) else "phone"
        for written in _NUMBER.findall(line):
            try:
                number = phonenumbers.parse(written, mail["region"])
            except phonenumbers.NumberParseException:
                continue
            found.setdefault(kind, phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
        if _TITLES.search(line):
            found.setdefault("title", line)
        elif _COMPANIES.search(line):
            found.setdefault("company", line)
    for above, line in pairwise(lines):
        if _CLOSES.match(above) and len(line) < 40 and not any(map(str.isdigit, line)):
            found.setdefault("name", line)
    return found
