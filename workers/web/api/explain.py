"""`/api/explain`: why something happened, happens next or does not, in sentences."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from workers import clock
from workers.runtime.explanation import parts_of
from workers.runtime.occurrences import next_begins
from workers.web.api.calls import Call
from workers.web.api.pages import Asked
from workers.web.api.users import become_worker, called


class Question(Asked):
    """What is asked about."""

    q: str = Field(
        min_length=1, max_length=500, description="an address, or a deal, quote, order or check by id, number or title"
    )


class Thing(BaseModel):
    """What the text may mean."""

    kind: str
    tenant_id: UUID
    item: str = Field(description="ask again by this where the text means several things")
    name: str | None


class Sentence(BaseModel):
    """Something that is so, was or will be."""

    at: datetime | None = Field(description="when it happened or will; of what is so: since when")
    what: str


class Explanation(BaseModel):
    """How the one thing stands that the text means: nothing where it may mean several."""

    found: list[Thing]
    now: list[Sentence] = []
    next: list[Sentence] = []
    past: list[Sentence] = Field(default=[], description="the newest first")


def explain(call: Call, asked: Annotated[Question, Query()]) -> Any:
    """Say why a customer was written to or not, and what comes next. 404: there is no such thing."""
    found = call.called("console_found", asked.q)
    first = call.found(found, "address, deal, quote, order or check")
    if len(found) > 1:
        return {"found": found}
    whose = first["tenant_id"]  # an operator may have asked for all tenants
    sentences = called(call.connection, "console_explained", whose, first["engine"], first["item"], first["subject"])
    for one in sentences:
        one["at"] = one["at"] and datetime.fromisoformat(one["at"])
    become_worker(call.connection)  # whose the timetable is; nothing else is read from here on
    begins = next_begins(call.connection, UUID(whose), clock.now())
    return {"found": found, **parts_of(sentences, first["engine"], begins)}
