"""`/api/actions…`: what the engines wrote, and what people decide about it."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Path, Query
from psycopg.types.json import Jsonb
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator
from starlette.exceptions import HTTPException

from workers.delivery.facts import facts_of
from workers.delivery.shown import STATUSES, Status, edited_text, sent_text_of
from workers.delivery.texts import LONGEST_WRITTEN, Text
from workers.engines.registry import all_engines
from workers.web.api.calls import Call
from workers.web.api.pages import Asked, Paged, page, place
from workers.web.api.problems import sentence

_MOST: Final = 5_000  # as many ids as a request has room for
_MOST_ID: Final = 2**63 - 1

Id = Annotated[int, Field(ge=1, le=_MOST_ID)]
ActionId = Annotated[int, Path(ge=1, le=_MOST_ID)]
Decision = Literal["approve", "cancel", "retry"]
Why = Annotated[str, Field(max_length=500)]


class ActionFilter(Asked):
    """Which actions are meant: those that fit all that is said."""

    engine: str | None = None
    status: list[Status] | None = Field(default=None, min_length=1, max_length=len(STATUSES))
    template: str | None = Field(default=None, max_length=200)
    contact: str | None = Field(default=None, max_length=320, description="an e-mail address, or a contact's id")
    subject: UUID | None = Field(default=None, description="the deal, quote, request or check that it is about")
    error: str | None = Field(default=None, max_length=200, description="a part of the reason, or of the last error")
    since: AwareDatetime | None = Field(default=None, description="sent, or to be sent, from then on")
    until: AwareDatetime | None = Field(default=None, description="sent, or to be sent, before then")

    @field_validator("engine")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None and name not in all_engines():
            raise ValueError(f"there is no such engine: there are {', '.join(all_engines())}")
        return name

    @field_validator("contact")
    @classmethod
    def _address_or_id(cls, text: str | None) -> str | None:
        if text is None or "@" in text:
            return text
        try:
            return str(UUID(text))
        except ValueError:
            raise ValueError("must be an e-mail address, or the id of a contact") from None


class ActionPage(ActionFilter, Paged):
    """Which page of which actions."""


class Action(BaseModel):
    """An action: a letter, or a task or a case for the tenant's own people."""

    action_id: int
    tenant_id: UUID
    engine: str
    kind: str
    template: str
    status: str
    subject: str = Field(description="of the letter, or the title of the task")
    address: str | None = Field(description="where it went or would go")
    run_at: datetime
    sent_at: datetime | None
    reason: str | None
    code: str | None
    refused: str | None = Field(description="why it would not leave now")
    attempts: int
    last_error: str | None
    subject_type: str
    subject_id: UUID
    client_id: UUID | None
    contact_id: UUID | None
    run_id: int | None
    message_id: str | None
    created_at: datetime


class Event(BaseModel):
    """Something that happened to an action."""

    at: datetime
    what: str
    who: str | None
    why: str | None


class WholeAction(Action):
    """An action with its text and its history."""

    body: str
    text_version: str | None
    is_as_sent: bool | None = Field(description="whether what is kept is what was sent, by its hash")
    history: list[Event]


class Choice(BaseModel):
    """A decision, and about which actions: of these ids, or of a filter."""

    model_config = ConfigDict(extra="forbid")

    decision: Decision
    ids: list[Id] | None = Field(default=None, min_length=1, max_length=_MOST)
    filter: ActionFilter | None = Field(
        default=None, description="without a status: those for which the decision is possible; the newest 5,000"
    )


class Meaning(BaseModel):
    """What a decision would mean."""

    decidable: list[int] = Field(description="for which of them it is possible")
    messages: int
    people: int = Field(description="who would get them")
    internal: int = Field(description="tasks and cases")
    refused: dict[str, int] = Field(description="how many would be refused, by reason")
    moved: dict[str, int] = Field(description="how many cannot leave today, by the day on which they may")


class Decided(BaseModel):
    """Actions, and what is to become of them."""

    model_config = ConfigDict(extra="forbid")

    decision: Decision
    ids: list[Id] = Field(min_length=1, max_length=_MOST, description="as the preview named them")
    why: Why | None = None


class Done(BaseModel):
    """What was decided."""

    done: list[int] = Field(description="those for which it was possible")
    left: list[int] = Field(description="those for which it was not, or which do not exist")


class Reason(BaseModel):
    """Why something is decided."""

    model_config = ConfigDict(extra="forbid")

    why: Why | None = None


class Edit(Reason):
    """Another text, or another time."""

    subject: str | None = Field(default=None, max_length=LONGEST_WRITTEN)
    body: str | None = Field(default=None, max_length=LONGEST_WRITTEN)
    run_at: AwareDatetime | None = Field(default=None, description="leaves not before this")


def list_actions(call: Call, asked: Annotated[ActionPage, Query()]) -> dict[str, Any]:
    """List actions, the newest first."""
    [before] = place(asked, Id)
    rows = _listed(call, _said(asked) | ({"before": before} if before else {}), asked.limit + 1)
    return page(rows, asked.limit, lambda row: [row["action_id"]])


def show_action(call: Call, action_id: ActionId) -> Any:
    """Show one action: its text as it would leave or left, what speaks against it now, and what happened to it."""
    return _whole(call, action_id)


def preview_decision(call: Call, choice: Choice) -> Any:
    """Say what a decision about these actions, or about all of a filter, would mean. Nothing is changed."""
    if (choice.ids is None) == (choice.filter is None):
        raise HTTPException(422, "Say which actions: by their ids, or by a filter.")
    chosen = {"ids": choice.ids} if choice.filter is None else _said(choice.filter)
    [ids] = call.called("console_chosen", Jsonb(chosen), choice.decision, _MOST)
    [meaning] = call.called("console_preview", ids, choice.decision) if ids else [None]
    nothing = {"decidable": [], "messages": 0, "people": 0, "internal": 0, "refused": {}, "moved": {}}
    return meaning or nothing


def decide_actions(call: Call, decided: Decided) -> Any:
    """Approve suggestions, cancel what has not left, or try again what failed: those for which it is possible."""
    done = _decide(call, decided.ids, decided.decision, decided.why)
    return {"done": done, "left": sorted(set(decided.ids) - set(done))}


def approve_action(call: Call, action_id: ActionId, reason: Reason | None = None) -> Any:
    """Let a suggested action go out. 409: it is not a suggestion."""
    return _decide_one(call, action_id, "approve", reason)


def cancel_action(call: Call, action_id: ActionId, reason: Reason | None = None) -> Any:
    """Cancel an action that has not left. 409: it has."""
    return _decide_one(call, action_id, "cancel", reason)


def retry_action(call: Call, action_id: ActionId, reason: Reason | None = None) -> Any:
    """Try a failed or dead action again. 409: it is neither."""
    return _decide_one(call, action_id, "retry", reason)


def edit_action(call: Call, action_id: ActionId, edit: Edit) -> Any:
    """Give an action that has not left another text, or another time. 409: it has left."""
    text = _text(_one(call, action_id))
    subject = text.subject if edit.subject is None else edit.subject
    try:
        edited = edited_text(text, subject, text.body if edit.body is None else edit.body)
    except ValueError as error:
        raise HTTPException(422, sentence(str(error))) from None
    if edited or edit.run_at:
        changes = Jsonb({"subject": edited.subject, "body": edited.body}) if edited else None
        if not call.called("console_edit", [action_id], changes, edit.run_at, call.who, edit.why):
            raise HTTPException(409, "It has left, or was decided meanwhile: it cannot be edited any more.")
        call.did("edit", action_id)
    return _whole(call, action_id)


def _said(chosen: ActionFilter) -> dict[str, Any]:
    """Return a filter as find_actions of the database takes it; what was not said is absent."""
    return chosen.model_dump(mode="json", exclude_none=True, include=set(ActionFilter.model_fields))


def _decide(call: Call, ids: list[int], decision: str, why: str | None) -> list[int]:
    done: list[int] = call.called("console_decide", sorted(set(ids)), decision, call.who, why)
    if done:
        call.did(decision, ", ".join(map(str, done)))
    return done


def _decide_one(call: Call, action: int, decision: str, reason: Reason | None) -> Any:
    before = _one(call, action)
    if not _decide(call, [action], decision, reason.why if reason else None):
        raise HTTPException(409, f"The action is {before['status']}, so it is not possible to {decision} it.")
    return _whole(call, action)


def _listed(call: Call, chosen: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    rows = call.called("console_actions", Jsonb(chosen), limit)
    return [row | {"subject": _text(row).subject} for row in rows]


def _one(call: Call, action: int) -> dict[str, Any]:
    found: dict[str, Any] = call.found(call.called("console_actions", Jsonb({"ids": [action]}), 1), "action")
    return found


def _whole(call: Call, action: int) -> dict[str, Any]:
    row = _one(call, action)
    text = _text(row)
    history = call.called("console_action_history", action)
    return row | {"subject": text.subject, "body": text.body, "history": history}


def _text(row: dict[str, Any]) -> Text:
    return sent_text_of(row | {"facts": facts_of(row["letter"], row["variables"])})
