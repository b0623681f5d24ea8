"""Find what a customer's mail says about the business: nine kinds of signals, each with its evidence.

A mail is read sentence by sentence. A rule (see :mod:`workers.insight.signal_patterns`) fires when the customer
speaks of an own need; quoted mail, newsletters, small print, denials and mere possibilities say nothing.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from workers.insight.mood import mood_of
from workers.insight.phrases import load
from workers.insight.signal_head import signal_margins
from workers.insight.signal_patterns import SignalType, fold, matches, vetoes, wake
from workers.insight.tokens import sentences_of

MAX_CHARS = 6_000
"""How much of a mail is read."""

_MAX_SENTENCE = 300
_MAX_SENTENCES = 80
_MAX_EVIDENCE = 160
_ABSURD = -5.0  # log-odds of the head below which a pattern's match means something else ("a quote from Goethe")
# By how many log-odds the head has to be surer, for each e-fold of sentences: of many, one is soon like a signal by
# chance, and most of all like a complaint; of a second signal beside what a pattern found; of very few words.
_PER_LENGTH, _COMPLAINT_PER_LENGTH = 0.3, 1.5
_BESIDE = 1.0
_FOR_FEW_WORDS, _FEW_WORDS = 1.0, 5
_SHORT = 30  # words; a shorter mail is also read in one breath
_WORDS = load("signal_words")
_BULK_HINTS, _QUOTE_HINTS = tuple(_WORDS["bulk_hints"]), tuple(_WORDS["quote_hints"])
_SMALL_PRINT_HINTS = tuple(_WORDS["small_print_hints"])
_QUOTE_STARTS = re.compile(
    r"^[ \t]*(?:-{2,}[ \t]*(?:original message|forwarded by|forwarded message)|on .{5,120} wrote:|from:[ \t]"
    r"|_{10,}|-{10,}$|begin forwarded message|-- ?$|sent from my )",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTED_LINE = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
_BULK = re.compile(
    r"\bunsubscribe\b|\bview (?:this (?:e-?mail|message) )?in (?:your )?browser\b"
    r"|\byou (?:are receiv|receiv|have receiv|got)\w* this (?:e-?mail|newsletter|message) because\b"
    r"|\bopted[- ]in\b|\bmanage (?:your )?preferences\b|\bout of (?:the )?office until\b"
    r"|\bautomatic reply\b|\bthis is an automat",
    re.IGNORECASE,
)
_SMALL_PRINT = re.compile(
    r"\b(?:confidential|intended recipient|terms and conditions|disclaimer|privacy policy|privileged"
    r"|all rights reserved|please consider the environment|job posting)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal of a mail.

    Attributes:
        signal_type: which of the nine it is.
        evidence: the first matched words, as written, at most 160 characters, never empty.
        keyword_count: how many different expressions of the mail say so, at least 1.
    """

    signal_type: SignalType
    evidence: str
    keyword_count: int


def detect_signals(text: str) -> tuple[Signal, ...]:
    """Find the signals of one mail.

    Args:
        text: the body of a mail, in English; only the first :data:`MAX_CHARS` characters are read. Quoted
        mail and
            what follows a signature mark are skipped, but a caller who has split the reply passes the new
            text only.

    Returns:
        At most one signal per type, in a fixed order; empty for newsletters and automatic replies. Never
        raises.
    """
    text = text[:MAX_CHARS]
    if not text.isascii():
        text = text.replace("\u2019", "'").replace("\u2018", "'").replace("\u00a0", " ")
    folded = text.lower()
    if _holds(folded, _BULK_HINTS) and _BULK.search(text):
        return ()
    found: dict[SignalType, dict[str, str]] = {}
    sentences = _sentences(text, folded)[:_MAX_SENTENCES]
    length = math.log(max(len(sentences), 1))
    for sentence in sentences:
        for kind, evidence in _read(sentence, length):
            found.setdefault(kind, {}).setdefault(evidence.lower(), evidence)
    if "complaint" not in found and len(sentences) > 1 and len(folded.split()) <= _SHORT:
        whole = " ".join(sentences)[:_MAX_SENTENCE]
        mood = mood_of(whole)
        if mood and signal_margins(mood)["complaint"] > 0:
            found["complaint"] = {"": whole[:_MAX_EVIDENCE]}
    return tuple(Signal(kind, next(iter(found[kind].values())), len(found[kind])) for kind in vetoes() if kind in found)


def _holds(folded: str, hints: tuple[str, ...]) -> bool:
    """Whether a slow pattern is worth trying."""
    return any(hint in folded for hint in hints)


def _read(sentence: str, length: float) -> list[tuple[SignalType, str]]:
    """What one sentence says: what a pattern matches, unless the head finds it absurd, and what it resembles.

    Args:
        sentence: of the mail.
        length: the logarithm of how many sentences the mail has.
    """
    mood = mood_of(sentence)
    if mood is None:
        return []
    margins = signal_margins(mood)
    possible = [kind for kind, margin in margins.items() if margin >= _ABSURD]
    hits = [(kind, evidence) for kind in possible for evidence in _matched(sentence, kind, mood.reading.hints)]
    told = {kind for kind, _ in hits}
    likely = [kind for kind in possible if margins[kind] > 0 and kind not in told]
    if not likely:
        return hits
    needed = (_BESIDE if hits else 0.0) + (_FOR_FEW_WORDS if len(sentence.split()) < _FEW_WORDS else 0.0)
    left, likeliest = max(
        (margins[kind] - needed - length * (_COMPLAINT_PER_LENGTH if kind == "complaint" else _PER_LENGTH), kind)
        for kind in likely
    )
    if left > 0 and not vetoes()[likeliest].search(fold(sentence)):
        hits.append((likeliest, sentence[:_MAX_EVIDENCE]))
    return hits


def _matched(sentence: str, kind: SignalType, hints: int) -> list[str]:
    """What patterns of a type match in a sentence; nothing if a veto matches, too."""
    patterns = wake(hints, kind)
    found = [match.strip(" ,.;:!?")[:_MAX_EVIDENCE] for match in matches(sentence, patterns)] if patterns else []
    return [*filter(None, found)] if found and not vetoes()[kind].search(fold(sentence)) else []


def _sentences(text: str, folded: str) -> list[str]:
    quote = _QUOTE_STARTS.search(text) if _holds(folded, _QUOTE_HINTS) else None
    if quote:
        text = text[: quote.start()]
    if ">" in text:
        text = _QUOTED_LINE.sub("", text)
    parts: Sequence[str] = sentences_of(text)
    if _holds(folded, _SMALL_PRINT_HINTS):
        parts = [part for part in parts if not _SMALL_PRINT.search(part)]
    return [part[:_MAX_SENTENCE] for part in parts]
