"""The sentences of explain_item as people read them: how it stands, what comes next, and what was."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from workers import clock
from workers.runtime.slots import next_slot
from workers.settings import settings

HEADINGS: Final = {"now": "How it stands", "next": "What comes next", "past": "What happened, the newest first"}


def parts_of(sentences: Iterable[Mapping[str, Any]], engine: str | None) -> dict[str, list[Mapping[str, Any]]]:
    """Return the sentences by their tense, with the next run of the engine among what comes next.

    Args:
        sentences: rows of explain_item.
        engine: whose work it is; None for a mailbox.
    """
    present, zone = clock.now(), settings().time_zone
    parts: dict[str, list[Mapping[str, Any]]] = {tense: [] for tense in HEADINGS}
    for sentence in sentences:
        parts[sentence["tense"]].append(sentence)
    if parts["next"] and engine:
        parts["next"].append({"at": next_slot(engine, present, zone), "what": f"{engine} runs next"})
        parts["next"].sort(key=lambda sentence: max(sentence["at"], present))
    return parts
