"""The texts that customers and the tenant's own people read: which there are, and a tenant's own versions of them."""

import re
from dataclasses import replace
from typing import Any, Final

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import Response

from workers.delivery.texts import Text, shipped_source, shipped_templates, usable_names
from workers.delivery.trial import STEPS, Sample, require_text, sample_for, tried
from workers.delivery.wording import LANGUAGES
from workers.engines.registry import all_engines
from workers.errors import UnknownNameError
from workers.web.console.door import Visit
from workers.web.console.letters import UnwritableError, html_of

_NO_ENGINE: Final = "whatever the engine"
# A letter brings its own styles, which a page of the console would not run: there its style sheet does the same.
_BODY: Final = re.compile(r"<body[^>]*>(.*)</body>", re.DOTALL)
_STYLE: Final = re.compile(r' style="[^"]*"')


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
    wanted = visit.asked("version")
    source = None
    for row in _versions(visit):
        if wanted and str(row["version"]) == wanted:
            source = _source_of(row, *_place(visit))
    if wanted and source is None:
        raise HTTPException(404, "There is no such version.")
    return _page(visit, source)


def preview(visit: Visit) -> Response:
    """Show how a text would read; nothing is kept."""
    return _page(visit, _said_source(visit))


def save(visit: Visit) -> Response:
    """Keep a text as the tenant's newest version, if it can be used."""
    _require_tenant(visit)
    template, language = _place(visit)
    source = _said_source(visit)
    if source == _in_force(visit):
        return visit.go(visit.request.url.path, "nothing", what="")
    try:
        tried(source, template, language, _sample(visit))
    except UnknownNameError:
        return _page(visit, source, 400)  # which says what is wrong
    return _kept(visit, source, "kept")


def reset(visit: Visit) -> Response:
    """Let the shipped text be in force again."""
    _require_tenant(visit)
    return _kept(visit, None, "reset")


def _kept(visit: Visit, source: str | None, done: str) -> Response:
    template, language = _place(visit)
    [version] = visit.called("console_save_template", template, language, source, visit.person.who)
    path = f"/console/templates/{template}/{language}"
    return visit.go(path, done, version, what="changes a text", item=f"{template} ({language}) {version}")


def _page(visit: Visit, source: str | None, status: int = 200) -> Response:
    """Show a text with a source that somebody wrote, else with the one in force."""
    template, language = _place(visit)
    in_force = _in_force(visit)
    shown = in_force if source is None else source
    engine, kind = _kinds().get(template, (_NO_ENGINE, "task"))
    sample, wrong, readings = None, "", list[dict[str, Any]]()
    if visit.person.tenant is not None:
        sample = _sample(visit)
        try:
            texts = tried(shown, template, language, sample)
        except UnknownNameError as error:
            wrong = str(error)
        else:
            readings = [_reading(visit, text, sample, kind) for text in texts]
    known = sample.variables if sample else {}
    names = {name: known.get(name) for name in sorted(usable_names(template, language, known))}
    return visit.show(
        "template.html.j2", status, name=template, language=language, engine=engine, kind=kind, source=shown,
        is_changed=shown != in_force, wrong=wrong, readings=readings, steps=(None, *STEPS), sample=sample, names=names,
        versions=_versions(visit), languages=LANGUAGES if kind == "email" else shipped_templates()[template],
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
            # What people wrote is escaped, so no quotation mark of theirs stands in it.
            html = Markup(_STYLE.sub("", found[1]))  # noqa: S704
    return {"subject": text.subject, "body": text.body, "html": html}


def _require_tenant(visit: Visit) -> None:
    if visit.person.tenant is None:
        raise HTTPException(400, "Please choose a tenant first: whose text is it?")


def _place(visit: Visit) -> tuple[str, str]:
    """Return the template and the language that the address names.

    Raises:
        HTTPException: 404, there are none of these names.
    """
    template, language = visit.request.path_params["template"], visit.request.path_params["language"]
    try:
        require_text(template, language)
    except UnknownNameError as error:
        raise HTTPException(404, f"There is {error}.") from None
    return template, language


def _kinds() -> dict[str, tuple[str, str]]:
    """Return of each engine's text the engine and the kind."""
    return {name: (engine.name, kind) for engine in all_engines().values() for name, kind in engine.templates.items()}


def _versions(visit: Visit) -> list[dict[str, Any]]:
    place = _place(visit)
    return [] if visit.person.tenant is None else visit.called("console_template_versions", *place)


def _in_force(visit: Visit) -> str:
    place, versions = _place(visit), _versions(visit)
    return _source_of(versions[0], *place) if versions else shipped_source(*place)


def _source_of(version: dict[str, Any], template: str, language: str) -> str:
    source: str | None = version["source"]
    return shipped_source(template, language) if source is None else source


def _sample(visit: Visit) -> Sample:
    template, language = _place(visit)
    [latest] = visit.called("console_template_sample", template)
    return sample_for(template, language, latest)


def _said_source(visit: Visit) -> str:
    return visit.form.get("source", [""])[-1].replace("\r\n", "\n")
