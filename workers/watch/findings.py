"""What a look finds wrong."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, in words for whoever is on call.

    Attributes:
        key: what was looked at; it stays the same as long as the same thing is wrong.
        what: what is wrong, with its figures.
        why: why that matters.
        mend: what to do about it, a command where there is one.
    """

    key: str
    what: str
    why: str
    mend: str

    def as_dict(self) -> dict[str, str]:
        """Return it as plain JSON values."""
        return asdict(self)
