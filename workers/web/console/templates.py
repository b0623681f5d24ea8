"""The texts that customers and the tenant's own people read: which there are, and a tenant's own versions of them."""

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers.delivery.texts import Text, shipped_templates, usable_names
from workers.delivery.trial import STEPS, Sample, require_text, sample_for, source_of, tried
from workers.delivery.wording import LANGUAGES
from workers.engines.registry import all_engines
from workers.errors import UnknownNameError
from workers.web.console.door import Visit
from workers.web.console.letters import UnwritableError, html_of

_NO_ENGINE: Final = "whatever the engine"
# A letter brings its own styles, which a page of the console would not run: there its style sheet does the same.
_BODY: Final = re.compile(r"<body[^>]*>(.*)</body>", re.DOTALL)
_STYLE: Final = re.compile(r' style="[^"]*"')


@dataclass(frozen=True, slots=True)
class _Opened:
    """A text in a language, as its page shows it.

    Attributes:
        template: its name.
        language: in which language.
        versions: the tenant's own, the newest first.
    """

    template: str
    language: str
    versions: list[dict[str, Any]]

    @property
    def in_force(self) -> str:
        """The source that letters are made of now."""
        return source_of(self.versions[0] if self.versions else None, self.template, self.language)


def show(visit: Visit) -> Response:
    """Show every text by engine, its kind, and in which languages the tenant has its own."""
    own: dict[tuple[str, str], int] = {}
    if visit.person.tenant is not None:
        own = {(row["template"], row["language"]): row["version"] for row in visit.called("console_templates")}
    kinds = _kinds()
    groups: dict[str, list[dict[str, Any]]] = {name: [] for name in (*all_engines(), _NO_ENGINE)}
    for name, shipped in sorted(shipped_templates().items()):
        engine, kind = kinds.get(name, (_NO_ENGINE, "task"))
        languages = LANGUAGES if kind == "email" else shipped
        groups[engine].append(
            {"name": name, "kind": kind, "languages": {one: own.get((name, one)) for one in languages}}
        )
    return visit.show("templates.html.j2", groups={name: rows for name, rows in groups.items() if rows})


def text(visit: Visit) -> Response:
    """Show the source of a text, how it reads, and its versions; one of these is opened where it is asked for."""
    opened, wanted = _opened(visit), visit.asked("version")
    if not wanted:
        return _page(visit, opened, opened.in_force)
    for version in opened.versions:
        if str(version["version"]) == wanted:
            return _page(visit, opened, source_of(version, opened.template, opened.language))
    raise HTTPException(404, "There is no such version.")


def preview(visit: Visit) -> Response:
    """Show how a text would read; nothing is kept."""
    return _page(visit, _opened(visit), visit.written("source"))


def save(visit: Visit) -> Response:
    """Keep a text as the tenant's newest version, if it can be used."""
    opened, source = _opened(visit), visit.written("source")
    _require_tenant(visit)
    if source == opened.in_force:
        return visit.go(visit.request.url.path, "nothing", what="")
    try:
        tried(source, opened.template, opened.language, _sample(visit, opened))
    except UnknownNameError:
        return _page(visit, opened, source, 400)  # which says what is wrong
    return _kept(visit, opened, source, "kept")


def reset(visit: Visit) -> Response:
    """Let the shipped text be in force again."""
    _require_tenant(visit)
    return _kept(visit, _opened(visit), None, "reset")


def _kept(visit: Visit, opened: _Opened, source: str | None, done: str) -> Response:
    template, language = opened.template, opened.language
    [version] = visit.called("console_save_template", template, language, source, visit.person.who)
    path = f"/console/templates/{template}/{language}"
    return visit.go(path, done, version, what="changes a text", item=f"{template} ({language}) {version}")


def _page(visit: Visit, opened: _Opened, source: str, status: int = 200) -> Response:
    """Show a text with a source, whether it is in force or not."""
    template, language = opened.template, opened.language
    engine, kind = _kinds().get(template, (_NO_ENGINE, "task"))
    sample, wrong, readings = None, "", list[dict[str, Any]]()
    if visit.person.tenant is not None:
        sample = _sample(visit, opened)
        try:
            texts = tried(source, template, language, sample)
        except UnknownNameError as error:
            wrong = str(error)
        else:
            readings = [_reading(visit, text, sample, kind) for text in texts]
    known = sample.variables if sample else {}
    return visit.show(
        "template.html.j2", status, name=template, language=language, engine=engine, kind=kind, source=source,
        is_changed=source != opened.in_force, wrong=wrong, readings=readings, steps=(None, *STEPS), sample=sample,
        names={name: known.get(name) for name in sorted(usable_names(template, language, known))},
        versions=opened.versions, languages=LANGUAGES if kind == "email" else shipped_templates()[template],
    )  # fmt: skip


def _reading(visit: Visit, text: Text, sample: Sample, kind: str) -> dict[str, Any]:
    """Return a text as it reads: its subject, its plain text, and a letter's page."""
    html = Markup()
    if kind == "email" and visit.person.tenant is not None:
        facts = replace(sample.facts, thread=None)  # its own subject, not that of what it would follow up
        try:
            page = html_of(text, facts, action=0, tenant=visit.person.tenant, tenant_name=sample.tenant_name)
        except UnwritableError as error:
            raise HTTPException(409, str(error)) from None
        if found := _BODY.search(page):
            # html_page escapes what people wrote, so neither a tag nor a quotation mark of theirs stands in it.
            html = Markup(_STYLE.sub("", found[1]))  # noqa: S704  # nosec B704
    return {"subject": text.subject, "body": text.body, "html": html}


def _require_tenant(visit: Visit) -> None:
    if visit.person.tenant is None:
        raise HTTPException(400, "Please choose a tenant first: whose text is it?")


def _opened(visit: Visit) -> _Opened:
    """Return the text that the address names.

    Raises:
        HTTPException: 404, there is none of that name, or no such language.
    """
    template, language = visit.request.path_params["template"], visit.request.path_params["language"]
    try:
        require_text(template, language)
    except UnknownNameError as error:
        raise HTTPException(404, f"There is {error}.") from None
    versions = []
    if visit.person.tenant is not None:
        versions = visit.called("console_template_versions", template, language)
    return _Opened(template, language, versions)


def _kinds() -> dict[str, tuple[str, str]]:
    """Return of each engine's text the engine and the kind."""
    return {name: (engine.name, kind) for engine in all_engines().values() for name, kind in engine.templates.items()}


def _sample(visit: Visit, opened: _Opened) -> Sample:
    [latest] = visit.called("console_template_sample", opened.template)
    return sample_for(opened.template, opened.language, latest)
