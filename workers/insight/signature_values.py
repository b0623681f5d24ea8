"""What a signature can say about its sender."""

from dataclasses import dataclass

__all__ = ["Field", "Signature"]


@dataclass(frozen=True, slots=True)
class Field:
    """One value found, and how sure it is: 0 a guess, 1 certain."""

    value: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Signature:
    """What a signature says about its sender; None for what it does not say.

    `phone` and `mobile` are in E.164 ("+441134960321"); the other values are as written, without labels.
    """

    name: Field | None = None
    title: Field | None = None
    company: Field | None = None
    phone: Field | None = None
    mobile: Field | None = None
    email: Field | None = None
    linkedin: Field | None = None
    website: Field | None = None
    address: Field | None = None
