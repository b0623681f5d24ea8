"""Score `split_reply`: on how many mails is the new text exact, but for its signature?"""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from training import PUBLIC
from workers.insight.html_text import html_to_text
from workers.insight.reply import split_reply

__all__ = ["evaluate"]

DATA = Path(__file__).parent / "data"
LANGUAGES = ["en", "de", "fr", "it", "es", "nl", "pl", "sv", "da", "cs", "ja", "ko", "zh"]

# Body and sender → (text, signature); the signature may be empty if a system does not split it off.
System = Callable[[str, str | None], tuple[str, str]]


def evaluate() -> dict[str, Any]:
    """Score every system on the own sets and, if it is there, on the public one.

    Returns:
        `{"name", "rows", "notes"}`; precision, recall and F1 of a row are all the share of exact mails.
    """
    names = {"own": "replies", "second": "replies_second", "third": "replies_third"}
    sets = {label: _read(DATA / f"{name}.jsonl") for label, name in names.items()}
    public = PUBLIC / "replies" / "discourse.jsonl"
    notes = ["A reply is exact if its words are, with or without the signature that belongs to it."]
    if public.exists():
        sets["public (discourse)"] = _read(public)
    else:
        notes.append(f"No public set: {public} is missing.")
    rows: list[dict[str, Any]] = []
    for name, system in _systems(notes).items():
        for label, mails in sets.items():
            rows.extend(_rows(name, system, label, mails, by_layout=name == "fleet" and label == "own"))
    return {"name": "reply", "rows": rows, "notes": notes}


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _rows(
    name: str, system: System, label: str, mails: Iterable[dict[str, Any]], *, by_layout: bool
) -> list[dict[str, Any]]:
    outcomes: dict[str, list[bool]] = defaultdict(list)
    for mail in mails:
        if mail["body"]:
            text, signature = system(mail["body"], mail.get("sender"))
        elif name == "fleet":
            reply = split_reply("", mail["html"])
            text, signature = reply.text, reply.signature
        else:
            # The others read text only: they get ours, quote marks included.
            text, signature = system(html_to_text(mail["html"]), None)
        exact = _is_exact(text, signature, mail["reply"], mail.get("signature", ""))
        outcomes[label].append(exact)
        if by_layout:
            outcomes[f"{label}: {mail['layout'].partition('-')[0]}"].append(exact)
    return [_row(name, label, found) for label, found in outcomes.items()]


def _row(system: str, label: str, outcomes: list[bool]) -> dict[str, Any]:
    share = round(sum(outcomes) / len(outcomes), 3)
    return {
        "system": system,
        "class": label,
        "precision": share,
        "recall": share,
        "f1": share,
        "n": len(outcomes),
    }


def _is_exact(text: str, signature: str, wanted: str, wanted_signature: str) -> bool:
    """Equal words; a signature (of the answer or of the label) may follow on either side."""
    got, want = text.split(), wanted.split()
    if got == want or got == want + wanted_signature.split():
        return True
    rest = want[len(got) :]
    return got == want[: len(got)] and bool(got) and bool(rest) and rest == signature.split()[: len(rest)]


def _systems(notes: list[str]) -> dict[str, System]:
    systems: dict[str, System] = {"fleet": _fleet, "keywords": _plain_rules}
    if find_spec("mailparser_reply"):
        parser: Any = import_module("mailparser_reply").EmailReplyParser(languages=LANGUAGES)
        systems["mail-parser-reply"] = lambda body, _sender: (parser.parse_reply(body) or "", "")
    else:
        notes.append("mail-parser-reply is not installed.")
    if find_spec("quotequail"):
        quail: Any = import_module("quotequail")
        systems["quotequail"] = lambda body, _sender: ("\n".join(part for own, part in quail.quote(body) if own), "")
    else:
        notes.append("quotequail is not installed.")
    return systems


def _fleet(body: str, sender: str | None) -> tuple[str, str]:
    reply = split_reply(body, sender=sender)
    return reply.text, reply.signature


_STARTS = re.compile(r"^(?:On .* wrote:|-+ ?Original Message ?-+|-+ ?Forwarded message ?-+|From: .*|_{20,})$")


def _plain_rules(body: str, _sender: str | None) -> tuple[str, str]:
    """The English rules every system begins with: cut at the attribution, drop ">" lines, cut at "--"."""
    kept: list[str] = []
    for line in body.split("\n"):
        if _STARTS.match(line.strip()) or line.rstrip() == "--" or line.startswith("Sent from my"):
            break
        if not line.startswith(">"):
            kept.append(line)
    return "\n".join(kept).strip(), ""
