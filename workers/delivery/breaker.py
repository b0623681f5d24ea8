"""Whether refusals speak of messages, a tenant, or the channel: a relay that refuses everybody is wrong itself."""

import logging
from collections.abc import Mapping
from threading import Lock
from typing import Any, Final
from uuid import UUID

from workers.delivery.channels import Blocked, Outcome, Rejected, RetryLater, Sent

logger = logging.getLogger(__name__)

# So many refusals in a row, to so many domains, are no longer the receivers' doing.
_REFUSALS: Final = 5
_DOMAINS: Final = 3


class Breaker:
    """Knows of all outcomes of a pass, whichever connection they came by, what is not worth trying any more.

    A tenant whose mail is refused for a reason of its own is blocked: the rest of its mail waits, and the others' goes
    out. If a second tenant's is refused as well, the channel is what both have in common. It opens, too, after a few
    refusals in a row over several domains, and when the channel is away.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._domains: list[str] = []
        self._blocked: set[UUID] = set()
        self._down: str | None = None

    def note(self, row: Mapping[str, Any], outcome: Outcome) -> None:
        """Take what became of one message (a row of claim_emails) into account."""
        with self._lock:
            match outcome:
                case Sent():
                    self._domains.clear()
                case RetryLater(error, channel_down=True):
                    self._down = error
                case Blocked(error):
                    self._block(row, error)
                case Rejected(error, fault) if fault is not None:  # the server said so, it is no address that is none
                    self._domains.append((row["address"] or "").rpartition("@")[2].lower())
                    if self.is_open:
                        self._down = f"everybody is refused: {error}"

    @property
    def is_open(self) -> bool:
        """Say whether the channel refuses everybody."""
        return len(self._domains) >= _REFUSALS and len(set(self._domains)) >= _DOMAINS

    @property
    def down(self) -> str | None:
        """Say why nothing more is worth trying for now; None if it is."""
        return self._down

    def blocks(self, tenant: UUID) -> bool:
        """Say whether a tenant's mail is refused for its own sake."""
        return tenant in self._blocked

    def _block(self, row: Mapping[str, Any], error: str) -> None:
        if row["tenant_id"] in self._blocked:
            return
        self._blocked.add(row["tenant_id"])
        words = "mail of tenant %s is refused for its own sake: %s"
        about = {"tenant": row["tenant_id"], "action": row["action_id"]}
        logger.warning(words, row["tenant_id"], error, extra=about)
        if len(self._blocked) > 1:
            self._down = error
