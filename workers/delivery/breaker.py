"""Whether refusals speak of the messages or of the channel: a relay that refuses everybody is wrong itself."""

from typing import Final

from workers.delivery.channels import Outcome, Rejected, Sent

# So many refusals in a row, to so many domains, are no longer the receivers' doing.
_REFUSALS: Final = 5
_DOMAINS: Final = 3


class Breaker:
    """Opens after a few refusals in a row over several domains; then nothing more is tried for now."""

    def __init__(self) -> None:
        self._domains: list[str] = []

    def note(self, outcome: Outcome, address: str) -> None:
        """Take the outcome of one message to an address into account."""
        match outcome:
            case Sent():
                self._domains.clear()
            case Rejected(fault=fault) if fault is not None:  # the server said so, it is no address that is none
                self._domains.append(address.rpartition("@")[2].lower())

    @property
    def is_open(self) -> bool:
        """Say whether the channel refuses everybody."""
        return len(self._domains) >= _REFUSALS and len(set(self._domains)) >= _DOMAINS
