"""What every engine owes the fleet, looked up for one of them: `gaps` names whatever is missing."""

import sys
from collections.abc import Iterator
from inspect import getdoc
from pathlib import Path
from uuid import UUID, uuid4

from jinja2 import TemplateError

from tests.crm import NOW, Crm
from workers.delivery.texts import render
from workers.engines.base import Engine
from workers.runtime.timetable import timetable
from workers.settings import settings

DOCS = Path(__file__).parents[1] / "docs" / "engines"


def gaps(engine: Engine, crm: Crm) -> list[str]:
    """Return what an engine lacks, given a database with rows on which it has something to do at NOW."""
    return [*_on_paper(engine), *_in_the_database(engine, crm), *_in_action(engine, crm)]


def _on_paper(engine: Engine) -> Iterator[str]:
    own = settings().fleet_engines_dir
    inside, outside = f"workers.engines.{engine.name}", f"fleet_engine_{engine.name}"
    module = sys.modules.get(inside) or sys.modules.get(outside)
    if module is None:
        yield f"no module {inside}"
    elif "Promises:" not in (getdoc(module) or ""):
        yield "the module does not say what the engine promises"
    if engine.name not in timetable():
        yield "no line of the timetable"
    pages = [folder / f"{engine.name}.md" for folder in (DOCS, own) if folder]
    page = next((page.read_text() for page in pages if page.is_file()), None)
    if page is None:
        yield f"no page docs/engines/{engine.name}.md"
        return
    if "stateDiagram" not in page:
        yield "no state diagram on its page"
    yield from (f"{template} is not on its page" for template in engine.templates if template not in page)


def _in_the_database(engine: Engine, crm: Crm) -> Iterator[str]:
    # register_engine refuses whoever lacks a function, so being registered says that all of them are there.
    if not crm.rows("SELECT FROM engines WHERE name = %s", engine.name):
        yield "it is not in the registry of the database"


def _in_action(engine: Engine, crm: Crm) -> Iterator[str]:
    if not crm.due_tenants(engine.name):
        yield "nothing of its rows is due"
    report = crm.run(engine.name)
    actions = crm.actions(engine=engine.name)
    if not report.tally.acted or not actions:
        yield "its rows make it do nothing, or write nothing"
    if crm.run(engine.name).tally.acted:
        yield "a run leaves work that the next one finds at once"
    for action in actions:
        name = action["template"]
        if engine.templates.get(name) != action["kind"]:
            yield f"it writes a {action['kind']} {name} that it does not declare"
        if action["subject_type"] != engine.subject_type:
            yield f"it writes about a {action['subject_type']} that it does not declare"
        try:
            render(name, action["variables"], "Acme")
        except TemplateError as error:
            yield f"{name} cannot be rendered: {error}"
    if actions:
        yield from _guard_and_answer(engine, crm, actions[0]["tenant_id"])


def _guard_and_answer(engine: Engine, crm: Crm, tenant: UUID) -> Iterator[str]:
    written = next(iter(engine.templates))  # an engine names first what it writes first
    gone = crm.action(tenant, kind=engine.templates[written], subject_type=engine.subject_type, subject_id=uuid4())
    verdict = crm.one("SELECT verdict, reason FROM action_guards(ARRAY[%s::bigint])", gone)
    if verdict["verdict"] != "cancelled":
        yield "its guard lets an action leave whose subject is gone"
    mails = [action for action in crm.actions(engine=engine.name, kind="email") if action["status"] != "suggested"]
    if not mails or "email" not in engine.templates.values():
        return
    answered = mails[0]
    message = crm.insert(
        "inbound_messages", tenant_id=answered["tenant_id"], message_id=f"<{uuid4()}@acme.example>", kind="reply",
        from_address="ann@acme.example", text="Thank you.", action_id=answered["id"], raw_size=1, received_at=NOW,
    )  # fmt: skip
    crm.read("apply_reply", message, '{"sentiment": "neutral", "score": 0, "issues": [], "summary": "Thank you."}')
    left = crm.actions(subject_id=answered["subject_id"], status="scheduled", kind="email")
    if left:
        yield "after an answer its messages still go out"
