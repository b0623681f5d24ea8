"""The sentences of explain_item as people read them: how it stands, what comes next, and what was."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from workers import clock

HEADINGS: Final = {"now": "How it stands", "next": "What comes next", "past": "What happened, the newest first"}


def parts_of(
    sentences: Iterable[Mapping[str, Any]], engine: str | None, begins: Mapping[str, datetime]
) -> dict[str, list[Mapping[str, Any]]]:
    """Return the sentences by their tense, with the next run of the engine among what comes next.

    Args:
        sentences: rows of explain_item.
        engine: whose work it is; None for a mailbox.
        begins: when each engine begins next for the tenant.
    """
    present = clock.now()
    parts: dict[str, list[Mapping[str, Any]]] = {tense: [] for tense in HEADINGS}
    for sentence in sentences:
        parts[sentence["tense"]].append(sentence)
    if parts["next"] and engine and engine in begins:
        parts["next"].append({"at": begins[engine], "what": f"{engine} runs next"})
        parts["next"].sort(key=lambda sentence: max(sentence["at"], present))
    return parts
