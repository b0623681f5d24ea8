"""`/api/templates…`: the texts that customers and the tenant's own people read, and the tenant's versions of them."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from workers.delivery.texts import LONGEST_WRITTEN, Text, shipped_templates
from workers.delivery.trial import require_text, sample_for, source_of, tried
from workers.delivery.wording import ENGLISH, LANGUAGES
from workers.errors import UnknownNameError
from workers.web.api.calls import Call
from workers.web.api.pages import Asked
from workers.web.api.problems import sentence


class Language(Asked):
    """In which language."""

    language: str = Field(default=ENGLISH, description=", ".join(LANGUAGES))


class Template(BaseModel):
    """A text."""

    template: str
    languages: list[str] = Field(description="in which it is shipped")
    own: dict[str, int] = Field(description="the versions of the tenant's own that are in force, by language")


class TemplateText(BaseModel):
    """A text as it is in force."""

    template: str
    language: str
    version: int | None = Field(description="null: nobody has changed the shipped text")
    is_own: bool = Field(description="whether it is the tenant's own")
    source: str


class Source(BaseModel):
    """A text as it is to be: its first line is the subject."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(max_length=LONGEST_WRITTEN)


class Reading(BaseModel):
    """A text as it reads."""

    subject: str
    body: str


Asking = Annotated[Language, Query()]


def list_templates(call: Call) -> dict[str, Any]:
    """List the texts, the languages they are in, and the versions of the tenant's own."""
    own = call.called_for_one("console_templates")
    return {
        "items": [
            {
                "template": name,
                "languages": languages,
                "own": {row["language"]: row["version"] for row in own if row["template"] == name},
            }
            for name, languages in sorted(shipped_templates().items())
        ]
    }


def show_template(call: Call, template: str, asked: Asking) -> Any:
    """Show the source of a text as it is in force for the tenant."""
    return _in_force(call, template, asked.language)


def edit_template(call: Call, template: str, asked: Asking, text: Source) -> Any:
    """Give the tenant its own version of a text; it is tried first, and one that cannot be used is refused (422)."""
    _tried(call, template, asked.language, text.source)
    return _kept(call, template, asked.language, text.source)


def reset_template(call: Call, template: str, asked: Asking) -> Any:
    """Let the shipped text be in force again; the tenant's own versions are kept."""
    return _kept(call, template, asked.language, None)


def preview_template(call: Call, template: str, asked: Asking, text: Source | None = None) -> dict[str, Any]:
    """Show a text, or the one in force, filled with what was last written for the tenant, else with a sample.

    At the first step of a series, one between and the last, if there is a series; nothing where there is nothing to
    show it on. Nothing is kept.
    """
    source = text.source if text else _in_force(call, template, asked.language)["source"]
    readings = _tried(call, template, asked.language, source)
    return {"items": [{"subject": reading.subject, "body": reading.body} for reading in readings]}


def _in_force(call: Call, template: str, language: str) -> dict[str, Any]:
    _require(template, language)
    versions = call.called_for_one("console_template_versions", template, language)
    latest = versions[0] if versions else None
    return {
        "template": template, "language": language, "version": latest and latest["version"],
        "is_own": latest is not None and latest["source"] is not None,
        "source": source_of(latest, template, language),
    }  # fmt: skip


def _kept(call: Call, template: str, language: str, source: str | None) -> dict[str, Any]:
    _require(template, language)
    [version] = call.called_for_one("console_save_template", template, language, source, call.who)
    call.did("changes a text", f"{template} ({language}) {version}")
    return _in_force(call, template, language)


def _tried(call: Call, template: str, language: str, source: str) -> list[Text]:
    _require(template, language)
    [latest] = call.called_for_one("console_template_sample", template)
    try:
        return tried(source, template, language, sample_for(template, language, latest))
    except UnknownNameError as error:
        raise HTTPException(422, sentence(str(error))) from None


def _require(template: str, language: str) -> None:
    """Make sure that there is such a text.

    Raises:
        HTTPException: 404, there is none.
    """
    try:
        require_text(template, language)
    except UnknownNameError:
        raise HTTPException(404, "There is no such template, or not in that language.") from None
