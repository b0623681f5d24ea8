"""From an action's template and variables to the text a person reads, in the reader's language."""

import hashlib
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

from babel import Locale
from jinja2 import (
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    Undefined,
    UndefinedError,
    meta,
    pass_context,
)
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from workers.delivery.own_texts import check_own_text, unknown_names
from workers.delivery.wording import ENGLISH, LANGUAGES, Wording, day, field_words, lapsed, locale_of, money
from workers.insight.given_names import greeted_as
from workers.resources import template_folders

_LINE_END: Final = "\x1e"  # stands for a line end inside a value; no text that people write contains it
_LINE_ENDS: Final = re.compile(rf"[ \t]*{_LINE_END}[ \t{_LINE_END}]*")
_UNPRINTABLE: Final = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_LOCALE: Final = "_locale"  # what the filters find in a template's context; its own values have no such names
_TIME_ZONE: Final = "_time_zone"
_ENDING: Final = ".txt.j2"
PIECES: Final = frozenset({"fields", "footer", "greeting", "quote_details", "signature", "wanted"})  # of other texts
_EDITED: Final = "edited"  # by hand
_VERSION_DIGITS: Final = 12
LONGEST_WRITTEN: Final = 20_000  # characters of a text that a person writes
_LONGEST_TEXT: Final = 100_000  # characters; nobody reads a longer letter

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Text:
    """A rendered action.

    Attributes:
        subject: One line.
        body: The rest.
        language: What it is in.
        version: Of which text it was made: `own 3` is the tenant's third version, `shipped 0f3a…` one by its content,
            `edited` a person's own words.
    """

    subject: str
    body: str
    language: str = ENGLISH
    version: str | None = None

    @property
    def edited(self) -> bool:
        """Whether a person wrote it."""
        return self.version == _EDITED


def render(template: str, variables: Mapping[str, Any], tenant_name: str, wording: Wording | None = None) -> Text:
    """Fill a template: its first line is the subject, the rest the text.

    A value cannot begin a line of its own: line ends inside it become spaces, unless the template asks for them with
    the filter `lines`. A blank value counts as missing. Where there is no translation the text is in English. Where a
    tenant's own version cannot be used, the shipped one takes its place. What a person edited goes out as written.

    Args:
        template: the name of a file in one of the template folders, without its ending.
        variables: what the engine wrote into the action; edited is {"subject", "body"}, a person's own words.
        tenant_name: who the message comes from.
        wording: how it is worded; None for English without anything of the tenant's own.

    Raises:
        jinja2.TemplateError: the template does not exist, misses a variable, cannot use one, or never ends.
    """
    chosen = wording or Wording()
    language = _language_for(template, chosen)
    with _template_errors():
        if (edited := variables.get("edited")) is not None:
            return Text(" ".join(edited["subject"].split()), edited["body"].strip() + "\n", language, _EDITED)
        values = _values(variables, tenant_name, chosen, language)
    if own := chosen.own_texts.get(language):
        try:
            return _text(_filled(_own(own.source, language), values), language, f"own {own.version}")
        except TemplateError as error:
            logger.warning("%s's own text %s (%s) cannot be used: %s", tenant_name, template, language, error)
    return _text(_filled(_shipped(template, language), values), language, _shipped_version(template, language))


def check_text(source: str, template: str, language: str, known: Iterable[str]) -> None:
    """Make sure that a text of a tenant's own can take the place of a shipped one.

    Args:
        source: what the tenant wrote.
        template: whose place it takes.
        language: in which language.
        known: the variables that the engine writes, beside those that the shipped text asks for.

    Raises:
        jinja2.TemplateError: it breaks a rule of own texts, or asks for a variable that nobody writes.
    """
    _own(source, language)
    names = usable_names(template, language, known)
    if unknown := unknown_names(_environment(language), source, names):
        raise UndefinedError(f"there is no variable {', '.join(unknown)}: there are {', '.join(sorted(names))}")


def usable_names(template: str, language: str, known: Iterable[str]) -> set[str]:
    """Return the variables that an own version of a text may ask for.

    Args:
        template: the name of the text.
        language: in which language.
        known: what the engine writes, beside what the shipped text asks for.
    """
    asked = _asked_by_shipped(template, language)
    return {*known, *asked, "currency", "link", "share_deal_titles", "signature", "tenant"}


def try_text(source: str, language: str, variables: Mapping[str, Any], tenant_name: str, wording: Wording) -> Text:
    """Fill a text of a tenant's own as `render` would, but let nothing take its place.

    Raises:
        jinja2.TemplateError: as for `render`.
    """
    return _text(_filled(_own(source, language), _values(variables, tenant_name, wording, language)), language)


def shipped_templates() -> dict[str, list[str]]:
    """Return the names of all texts but the pieces of others, each with the languages that it is in."""
    files = _environment().list_templates()
    return {
        name.removesuffix(_ENDING): [
            language for language in LANGUAGES if language == ENGLISH or f"{language}/{name}" in files
        ]
        for name in files
        if "/" not in name and name.removesuffix(_ENDING) not in PIECES
    }


def shipped_source(template: str, language: str) -> str:
    """Return a text as it is shipped in a language, else in English.

    Raises:
        jinja2.TemplateNotFound: there is none of that name.
    """
    environment = _environment(language)
    assert environment.loader is not None  # noqa: S101  # it is made with one
    return environment.loader.get_source(environment, f"{template}{_ENDING}")[0]


@lru_cache(maxsize=1024)  # a tenant's comes again and again, but for a link of its own
def footer(language: str, **values: str | None) -> str:
    """Return what stands below a letter to somebody outside, in the letter's language.

    Raises:
        jinja2.TemplateError: as for `render`.
    """
    return _LINE_ENDS.sub(", ", _filled(_shipped("footer", language), _tamed(values))).strip() + "\n"


def without_control_characters(text: str) -> str:
    """Return a text in which what no person can read, and no database or message hold, is replaced by U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)


def _values(variables: Mapping[str, Any], tenant_name: str, wording: Wording, language: str) -> dict[str, Any]:
    """Everything that a text may ask for."""
    values: dict[str, Any] = _tamed({
        "link": wording.link,
        "signature": wording.signature,
        "share_deal_titles": wording.share_deal_titles,
        **variables,
        "currency": variables.get("currency") or wording.currency,
        "tenant": tenant_name,
    })  # fmt: skip
    return values | {_LOCALE: locale_of(language, wording), _TIME_ZONE: wording.time_zone}


def _text(filled: str, language: str, version: str | None = None) -> Text:
    subject, _, body = filled.strip("\n").partition("\n")
    return Text(" ".join(subject.split()), _LINE_ENDS.sub(" ", body).strip() + "\n", language, version)


@cache
def _asked_by_shipped(template: str, language: str) -> frozenset[str]:
    """The variables that a shipped text asks for."""
    parsed = _environment(language).parse(shipped_source(template, language))
    return frozenset(meta.find_undeclared_variables(parsed))


def _shipped(template: str, language: str) -> Template:
    return _environment(language).get_template(f"{template}{_ENDING}")


@cache
def _shipped_version(template: str, language: str) -> str:
    """Name a shipped text by what it consists of: a change of it, or of a piece in it, makes another version."""
    environment = _environment(language)
    assert environment.loader is not None  # noqa: S101  # it is made with one
    digest = hashlib.sha256()
    names = [f"{template}{_ENDING}"]
    for name in names:  # pieces of pieces are found on the way
        source = environment.loader.get_source(environment, name)[0]
        digest.update(source.encode())
        pieces = meta.find_referenced_templates(environment.parse(source))
        names += [piece for piece in pieces if piece is not None and piece not in names]
    return f"shipped {digest.hexdigest()[:_VERSION_DIGITS]}"


@lru_cache(maxsize=512)
def _own(source: str, language: str) -> Template:
    environment = _environment(language)
    check_own_text(environment, source)
    return environment.from_string(source)


def _filled(template: Template, values: Mapping[str, Any]) -> str:
    with _template_errors():
        return "".join(_bounded(template.generate(values)))


@contextmanager
def _template_errors() -> Iterator[None]:
    """Whatever a text and its values have against each other is an error of that text."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        if isinstance(error, TemplateError):
            raise
        raise TemplateError(f"{type(error).__name__}: {error}") from error


def _bounded(pieces: Iterable[str]) -> Iterator[str]:
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > _LONGEST_TEXT:
            raise TemplateError(f"the text becomes longer than {_LONGEST_TEXT} characters")
        yield piece


def _tamed(value: Any) -> Any:  # JSON's own values, whatever they are
    """Hide the line ends inside a value, and blank texts altogether, until the subject is cut off."""
    match value:
        case str():
            return _LINE_END.join(without_control_characters(value).splitlines()) if value.strip() else None
        case Mapping():
            return {key: _tamed(item) for key, item in value.items()}
        case list():
            return [_tamed(item) for item in value]
    return value


def _language_for(template: str, wording: Wording) -> str:
    """The language of the wording if there is such a text in it, else English."""
    language = wording.language.partition("-")[0].lower()
    if language == ENGLISH:
        return ENGLISH
    translated = language in LANGUAGES and (
        language in wording.own_texts
        or any((folder / language / f"{template}{_ENDING}").is_file() for folder in template_folders())
    )
    return language if translated else ENGLISH


def _lines(text: str) -> str:
    return text.replace(_LINE_END, "\n")


@pass_context
def _day(context: Context, value: Any) -> str | None:  # JSON's own values, as in _money
    locale: Locale = context[_LOCALE]
    return day(_required(value), locale, context[_TIME_ZONE])


@pass_context
def _money(context: Context, value: Any) -> str | None:
    locale: Locale = context[_LOCALE]
    return money(_required(value), context["currency"], locale)


def _required(value: Any) -> Any:
    return str(value) if isinstance(value, Undefined) else value  # str() says which variable is missing


@cache
def _environment(language: str = ENGLISH) -> SandboxedEnvironment:
    """Sandboxed, because templates are edited by people who are trusted with words and not with code.

    A language has its folder inside each folder of templates; what is not in it is the same in all languages.
    """
    folders = template_folders()
    own = [] if language == ENGLISH else [folder / language for folder in folders]
    environment = SandboxedEnvironment(
        loader=FileSystemLoader([*own, *folders]),
        undefined=StrictUndefined,
        auto_reload=False,  # a restart reads them anew, not each letter
        autoescape=False,  # plain text, not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "day": _day,
        "field_words": field_words,
        "greeted_as": greeted_as,
        "lapsed": lapsed,
        "lines": _lines,
        "money": _money,
    }
    return environment
