"""A person, deal, quote, order or check: how it stands, what comes next and what was; and the way to stop it."""

from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from psycopg.types.json import Jsonb
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from workers import clock
from workers.runtime.explanation import HEADINGS, parts_of
from workers.runtime.occurrences import next_begins
from workers.web.api.users import users
from workers.web.console.actions import listed
from workers.web.console.decisions import later_instant, mornings
from workers.web.console.door import Visit

_OPEN: Final = ("suggested", "scheduled", "failed", "dead")
_MOST_OPEN: Final = 100


def find(visit: Visit) -> Response:
    """Lead to what a text means, or show what it may mean where that is several things or nothing."""
    text = visit.asked("q")
    found = visit.called("console_found", text) if text else []
    if len(found) == 1:
        return RedirectResponse(_path_of(found[0]), 303)
    ways = [one | {"path": _path_of(one)} for one in found]
    return visit.show("find.html.j2", 200 if found or not text else 404, text=text, found=ways)


def timeline(visit: Visit) -> Response:
    """Show everything that is known of one thing."""
    item = _item(visit)
    sentences = visit.called_for(item["tenant_id"], "console_explained", item["engine"], item["item"], item["subject"])
    with users.working() as connection:
        begins = next_begins(connection, UUID(str(item["tenant_id"])), clock.now())
    return visit.show(
        "timeline.html.j2", item=item, parts=parts_of(sentences, item["engine"], begins), headings=HEADINGS,
        now=clock.now(), waiting=listed(visit, _open_actions(item), _MOST_OPEN), path=_path_of(item),
        pauses=visit.called_for(item["tenant_id"], "console_pause", *_matter(item)),
        mornings=mornings(visit.person.time_zone),
    )  # fmt: skip


def act(visit: Visit) -> Response:
    """Stop one thing, pause it, let it go on, or let what waits leave now."""
    acts = {"stop": _stop, "pause": _pause, "resume": _resume, "now": _write_now}
    wanted = "pause" if visit.said("morning") else visit.said("act")
    if wanted not in acts:
        raise HTTPException(400, "There is nothing of that name to do.")
    return acts[wanted](visit, _item(visit))


def _stop(visit: Visit, item: dict[str, Any]) -> Response:
    """Cancel whatever has not left; its series hold until a person acts."""
    why = visit.said("why")
    if not why:
        raise HTTPException(400, "Please say why it is stopped: whoever asks later wants to know.")
    [ids] = visit.called("console_chosen", Jsonb(_open_actions(item)), "cancel", _MOST_OPEN)
    done = visit.called("console_decide", ids, "cancel", visit.person.who, why) if ids else []
    return visit.go(_path_of(item), "cancel", len(done), what="stop", item=item["item"])


def _pause(visit: Visit, item: dict[str, Any]) -> Response:
    """Let nothing leave before a time."""
    [moved] = _set_pause(visit, item, later_instant(visit))
    return visit.go(_path_of(item), "paused", moved, what="pause", item=item["item"])


def _resume(visit: Visit, item: dict[str, Any]) -> Response:
    """End a pause before its time."""
    [ended] = _set_pause(visit, item, None)
    if not ended:
        raise HTTPException(409, "It is not paused any more.")
    return visit.go(_path_of(item), "resumed", what="end a pause", item=item["item"])


def _write_now(visit: Visit, item: dict[str, Any]) -> Response:
    """Let what waits leave now; where nothing waits, its engine takes the next step at once."""
    done: list[int] = []
    if item["subject"]:
        done = visit.called_for(
            item["tenant_id"], "console_write_now", item["engine"], item["subject"], visit.person.who,
            visit.said("why") or None,
        )  # fmt: skip
    if not done:
        raise HTTPException(409, "There is nothing to write now: its page says for what it waits.")
    return visit.go(_path_of(item), "now", len(done), what="write now", item=item["item"])


def _set_pause(visit: Visit, item: dict[str, Any], until: datetime | None) -> list[int]:
    why = visit.said("why") or None
    return visit.called_for(item["tenant_id"], "console_set_pause", *_matter(item), until, visit.person.who, why)


def _matter(item: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the address of a person, or the id of the subject of anything else."""
    return (None, item["subject"]) if item["engine"] else (item["item"], None)


def _item(visit: Visit) -> dict[str, Any]:
    """Return what the address of the page names.

    Raises:
        HTTPException: 404, the person's tenant has no such thing.
    """
    wanted = visit.request.path_params
    for one in visit.called("console_found", wanted["item"]):
        if (one["tenant_id"], one["kind"], one["item"]) == (wanted["tenant"], wanted["kind"], wanted["item"]):
            found: dict[str, Any] = one
            return found
    raise HTTPException(404, "There is no such person, deal, quote, order or check.")


def _open_actions(item: dict[str, Any]) -> dict[str, Any]:
    about = {"subject": item["subject"]} if item["subject"] else {"contact": item["item"]}
    return about | {"tenant": item["tenant_id"], "status": list(_OPEN)}


def _path_of(item: dict[str, Any]) -> str:
    return f"/console/timeline/{item['tenant_id']}/{item['kind']}/{quote(item['item'])}"
