"""`/api/words`: what the CRM's stages and statuses mean for a tenant."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workers.runtime.words import MEANINGS
from workers.web.api.calls import Call


class Word(BaseModel):
    """A word that the tenant explained, or that nobody knows."""

    kind: str
    word: str
    meaning: str | None = Field(default=None, description="null: nobody knows it, and nobody acts on it")
    n: int | None = Field(default=None, description="how many rows wait for an explanation")
    decided_by: str | None = None
    decided_at: datetime | None = None


class Explanation(BaseModel):
    """What a word means."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(json_schema_extra={"enum": list(MEANINGS)})
    word: Annotated[str, Field(min_length=1, max_length=200, pattern=r"[^\W_]")]
    meaning: str | None = Field(
        description="; ".join(f"{kind}: {', '.join(meanings)}" for kind, meanings in MEANINGS.items())
        + "; null: what it means everywhere"
    )

    @model_validator(mode="after")
    def _possible(self) -> "Explanation":
        if self.kind not in MEANINGS:
            raise ValueError(f"there is no such kind of words: there are {', '.join(MEANINGS)}")
        if self.meaning is not None and self.meaning not in MEANINGS[self.kind]:
            raise ValueError(f"a {self.kind} means {', '.join(MEANINGS[self.kind])}")
        return self


def list_words(call: Call) -> Any:
    """List the words that nobody knows, and those that the tenant explained."""
    return {"items": call.called("console_words")}


def explain_word(call: Call, explanation: Explanation) -> Any:
    """Say what a word means for the tenant; what waited for it goes on with the next run."""
    kind, word, meaning = explanation.kind, explanation.word, explanation.meaning
    call.called_for_one("console_set_word", kind, word, meaning, call.who)
    call.did("explains a word", f"{kind} {word}: {meaning or 'as everywhere'}")
    return list_words(call)
