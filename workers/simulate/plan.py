"""What is to be simulated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Plan:
    """A span of virtual time and what is assumed in it.

    Attributes:
        since: the first instant, timezone-aware.
        until: the first instant that is no longer simulated.
        tenants: whom it is simulated for; nobody else is worked for or written to in it.
        settings: of these tenants, by name, as `fleet settings set` takes them; they hold in the simulation.
        reply_rate: how likely a message is answered, 0..1.
        seed: what answers are drawn with; the same seed and database make the same simulation.
    """

    since: datetime
    until: datetime
    tenants: Sequence[UUID]
    settings: Mapping[str, str] = field(default_factory=dict)
    reply_rate: float = 0.0
    seed: int = 0
