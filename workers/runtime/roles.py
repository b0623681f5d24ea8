"""What somebody may do: each role may what those before it may."""

from typing import Final, Literal

Role = Literal["reader", "agent", "manager", "operator"]
RANKS: Final[tuple[Role, ...]] = ("reader", "agent", "manager", "operator")


def may(role: Role, least: Role) -> bool:
    """Say whether a role is the least that something needs, or a higher one."""
    return RANKS.index(role) >= RANKS.index(least)
