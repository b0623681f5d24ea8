"""Every address of the console, and the least role that sees it."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from workers.web.console import (
    actions,
    compliance,
    conflicts,
    decisions,
    insight,
    members,
    oidc,
    own_settings,
    runs,
    signin,
    suppressions,
    templates,
    timeline,
    today,
    webhooks,
    words,
)
from workers.web.console.assets import asset
from workers.web.console.door import for_anybody, signed_in


def _home(_: Request) -> Response:
    return RedirectResponse("/console/", 303)


ROUTES: Final = [
    Route("/", _home),
    Route("/console", _home),
    Route("/console/assets/{name}", asset),
    for_anybody("/console/sign-in", signin.ask),
    for_anybody("/console/sign-in", signin.send, "POST"),
    for_anybody("/console/enter", signin.hold),
    for_anybody("/console/enter", signin.enter, "POST"),
    for_anybody("/console/oidc", oidc.begin),
    for_anybody("/console/oidc/back", oidc.finish),
    signed_in("/console/sign-out", signin.leave, method="POST"),
    signed_in("/console/tenant", signin.look_at, "operator", "POST"),
    signed_in("/console/", today.today),
    signed_in("/console/actions", actions.actions),
    signed_in("/console/actions/preview", decisions.preview, "agent", "POST"),
    signed_in("/console/actions/decide", decisions.decide, "agent", "POST"),
    signed_in("/console/actions/snooze", decisions.snooze, "agent", "POST"),
    signed_in("/console/actions/{action:int}", actions.action),
    signed_in("/console/actions/{action:int}/letter", actions.letter),
    signed_in("/console/actions/{action:int}/edit", decisions.edit, "agent"),
    signed_in("/console/actions/{action:int}/edit", decisions.save, "agent", "POST"),
    signed_in("/console/find", timeline.find),
    signed_in("/console/timeline/{tenant}/{kind}/{item:path}", timeline.timeline),
    signed_in("/console/timeline/{tenant}/{kind}/{item:path}", timeline.act, "agent", "POST"),
    signed_in("/console/compliance", compliance.show),
    signed_in("/console/compliance.csv", compliance.export),
    signed_in("/console/compliance/{check}", compliance.check),
    signed_in("/console/compliance/{check}", compliance.decide, "agent", "POST"),
    signed_in("/console/conflicts", conflicts.conflicts),
    signed_in("/console/conflicts", conflicts.decide, "agent", "POST"),
    signed_in("/console/runs", runs.runs),
    signed_in("/console/runs", runs.start, "operator", "POST"),
    signed_in("/console/runs/{run:int}", runs.run),
    signed_in("/console/settings", own_settings.show),
    signed_in("/console/settings", own_settings.save, "manager", "POST"),
    signed_in("/console/settings/what-if", own_settings.what_if, "manager", "POST"),
    signed_in("/console/words", words.show),
    signed_in("/console/words", words.save, "manager", "POST"),
    signed_in("/console/suppressions", suppressions.show),
    signed_in("/console/suppressions", suppressions.add, "agent", "POST"),
    signed_in("/console/suppressions/removed", suppressions.remove, "manager", "POST"),
    signed_in("/console/templates", templates.show),
    signed_in("/console/templates/{template}/{language}", templates.text),
    signed_in("/console/templates/{template}/{language}", templates.save, "manager", "POST"),
    signed_in("/console/templates/{template}/{language}/preview", templates.preview, "manager", "POST"),
    signed_in("/console/templates/{template}/{language}/shipped", templates.reset, "manager", "POST"),
    signed_in("/console/webhooks", webhooks.show),
    signed_in("/console/webhooks", webhooks.add, "manager", "POST"),
    signed_in("/console/webhooks/changed", webhooks.change, "manager", "POST"),
    signed_in("/console/people", members.show, "manager"),
    signed_in("/console/people", members.revoke, "manager", "POST"),
    signed_in("/console/insight", insight.show),
    signed_in("/console/insight/{view}.csv", insight.export),
    signed_in("/console/insight/{view}", insight.part),
    signed_in("/console/insight/{view}/rows", insight.rows),
    signed_in("/console/insight/{view}/rows.csv", insight.export_rows),
    signed_in("/console/answers", today.settle_answer, "agent", "POST"),
]
