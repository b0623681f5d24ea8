"""A text of a tenant's own, tried before anybody is sent it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import TemplateError, TemplateSyntaxError

from workers.delivery.facts import Facts, facts_of
from workers.delivery.samples import SAMPLES
from workers.delivery.texts import LONGEST_WRITTEN, Text, check_text, shipped_source, shipped_templates, try_text
from workers.delivery.wording import LANGUAGES, Wording
from workers.errors import UnknownNameError

STEPS: Final = (1, 2, 7)  # the first, one between, and the last of a series


@dataclass(frozen=True, slots=True)
class Sample:
    """What a text is tried on.

    Attributes:
        tenant_name: Who the message comes from.
        variables: What the engine wrote into the tenant's latest action of that template, else made up; empty where
            nothing is known.
        facts: What is known of that letter beside its action.
        is_real: Whether it was written for somebody.
    """

    tenant_name: str
    variables: Mapping[str, Any]
    facts: Facts
    is_real: bool


def require_text(template: str, language: str) -> None:
    """Make sure that there is such a text to have an own version of.

    Raises:
        UnknownNameError: there is no such template or language.
    """
    if template not in shipped_templates():
        raise UnknownNameError(f"no template {template!r} (`fleet templates list` lists them)")
    if language not in LANGUAGES:
        raise UnknownNameError(f"no language {language!r}: there are {', '.join(LANGUAGES)}")


def source_of(version: Mapping[str, Any] | None, template: str, language: str) -> str:
    """Return the source of one of a tenant's versions; the shipped text where there is none, or it was put back."""
    own: str | None = version["source"] if version else None
    return shipped_source(template, language) if own is None else own


def sample_for(template: str, language: str, latest: Mapping[str, Any]) -> Sample:
    """Return what to try a text on.

    Args:
        template: the name of the text.
        language: in which a made-up letter is.
        latest: "tenant_name", and of the tenant's latest action of the template, if there is one, "variables" and
            "letter", its row of `letter_facts`.
    """
    name, variables, letter = latest["tenant_name"], latest["variables"], latest["letter"]
    if letter is None:
        return Sample(name, SAMPLES.get(template, {}), Facts(wording=Wording(language)), is_real=False)
    return Sample(name, variables, facts_of(letter, variables), is_real=True)


def tried(source: str, template: str, language: str, sample: Sample) -> list[Text]:
    """Return a text as it reads, as it stands and at some steps of a series; none where nothing is known to try it on.

    Raises:
        UnknownNameError: it cannot be used; the message says why in one line.
    """
    variables = sample.variables
    if len(source) > LONGEST_WRITTEN:
        raise UnknownNameError(f"a text has at most {LONGEST_WRITTEN:,} characters, this one has {len(source):,}")
    try:
        check_text(source, template, language, variables)
        if not variables:
            return []
        series = ({"step": step, "max_steps": max(STEPS)} for step in STEPS if "step" in variables)
        texts = [
            try_text(source, language, {**variables, **step}, sample.tenant_name, sample.facts.wording)
            for step in ({}, *series)
        ]
    except TemplateSyntaxError as error:
        raise UnknownNameError(f"line {error.lineno}: {error.message}") from None
    except TemplateError as error:
        raise UnknownNameError(f"{template} ({language}): {error}") from None
    if not all(text.subject and text.body.strip() for text in texts):
        raise UnknownNameError("its first line is the subject, and a text follows: one of them is empty")
    return texts
