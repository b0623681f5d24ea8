"""All engines by name."""

from collections.abc import Mapping
from typing import Final

from workers.engines.base import Engine
from workers.engines.enrichment import ENRICHMENT
from workers.engines.set_wise import set_wise
from workers.errors import UnknownNameError

ENGINES: Final[Mapping[str, Engine]] = {
    engine.name: engine
    for engine in (set_wise("feedback"), set_wise("deals"), set_wise("quotes"), ENRICHMENT, set_wise("compliance"))
}


def engine_named(name: str) -> Engine:
    """Return an engine by its name.

    Raises:
        UnknownNameError: there is none of that name.
    """
    try:
        return ENGINES[name]
    except KeyError:
        raise UnknownNameError(f"no engine {name!r}: the engines are {', '.join(ENGINES)}") from None
