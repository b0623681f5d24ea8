"""Lists that come in pages: how much of one is wanted, and where the next page begins."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException

Row = TypeVar("Row")


class Asked(BaseModel):
    """What stands behind the question mark; a misspelled parameter is told, not passed over."""

    model_config = ConfigDict(extra="forbid")


class Limited(Asked):
    """How much of a list is wanted."""

    limit: int = Field(default=20, ge=1, le=100, description="how many at most")


class Paged(Limited):
    """Which page of a list is wanted."""

    next: str | None = Field(default=None, max_length=1000, description="as the page before says; none: the first page")


Wanted = Annotated[Limited, Query()]


class Rows(BaseModel, Generic[Row]):
    """What was found, in the order that the operation says."""

    items: list[Row]


class Page(Rows[Row], Generic[Row]):
    """A page of what was found."""

    next: str | None = Field(description="what to ask for as `next` to get what follows; null: nothing does")


def page(rows: Sequence[Row], limit: int, key: Callable[[Row], Sequence[Any]]) -> dict[str, Any]:
    """Return a page of rows, of which one more than its limit was looked for.

    Args:
        rows: what was found.
        limit: of the page.
        key: by which the rows are in their order; the next page begins after that of its last row.
    """
    shown = rows[:limit]
    cursor = None
    if len(rows) > limit:
        cursor = urlsafe_b64encode(json.dumps(key(shown[-1]), default=str).encode()).rstrip(b"=").decode()
    return {"items": shown, "next": cursor}


def place(asked: Paged, *kinds: Any) -> Sequence[Any]:
    """Return the key after which a page begins, None for each of its parts where it is the first page.

    Args:
        asked: which page.
        kinds: the types of the parts.

    Raises:
        HTTPException: 422, no page of this list ended there.
    """
    if asked.next is None:
        return [None] * len(kinds)
    try:
        known: TypeAdapter[tuple[Any, ...]] = TypeAdapter(tuple[kinds])  # type: ignore[valid-type]
        return known.validate_json(urlsafe_b64decode(asked.next + "=" * (-len(asked.next) % 4)))
    except (ValidationError, ValueError):
        raise HTTPException(422, "next: It must be what the page before said.") from None
