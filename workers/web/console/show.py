"""How pages write what they show: instants, numbers, and the words for a state."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from workers import clock
from workers.delivery.texts import LONGEST_WRITTEN
from workers.runtime.roles import Role
from workers.web.console.assets import address
from workers.web.pages import environment

_PAGES: Final = (
    ("/console/", "Today"), ("/console/actions", "Actions"), ("/console/runs", "Runs"),
    ("/console/compliance", "Compliance"), ("/console/insight", "Insight"), ("/console/settings", "Settings"),
)  # fmt: skip
# The pages below Settings, and the least role that sees each.
_SETTINGS: Final[tuple[tuple[str, str, Role], ...]] = (
    ("/console/settings", "Settings", "reader"), ("/console/words", "Words", "reader"),
    ("/console/templates", "Texts", "reader"), ("/console/suppressions", "Suppressions", "reader"),
    ("/console/webhooks", "Webhooks", "reader"), ("/console/tokens", "Tokens", "manager"),
    ("/console/people", "People", "manager"), ("/console/trail", "Audit trail", "manager"),
)  # fmt: skip
_NOTHING: Final = "–"  # noqa: RUF001  # the dash that stands for nothing
_UNITS: Final = (
    (timedelta(days=365), "year"), (timedelta(days=30), "month"), (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute"),
)  # fmt: skip


def page(template: str, **values: object) -> str:
    """Return a page or a part of one. Values are shown as text, whatever they contain."""
    return _pages().get_template(f"console/{template}").render(values)


def relative(instant: datetime) -> str:
    """Return how far away an instant is, in words: `3 hours ago`, `in 2 days`, `just now`."""
    distance = instant - clock.now()
    for unit, name in _UNITS:
        if abs(distance) >= unit:
            number = int(abs(distance) / unit)
            words = f"{number} {name}{'s' if number > 1 else ''}"
            return f"in {words}" if distance > timedelta(0) else f"{words} ago"
    return "now" if distance > timedelta(0) else "just now"


def exact(instant: datetime, zone: str) -> str:
    """Return an instant in a zone: `Mon 2 Mar 2026 09:00 GMT`."""
    local = instant.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b %Y %H:%M %Z}"


def heading(column: str) -> str:
    """Return what a column of figures is called above a table: `won_count` is `won`, `win_rate_pct` is `win rate %`."""
    words = column.removesuffix("_count").replace("_pct", " %").replace("_", " ")
    return "when" if words == "at" else words


@pass_context
def _when(context: Context, instant: datetime | None) -> Markup:
    """Write an instant as people speak of it, the exact one on hover."""
    if instant is None:
        return Markup.escape(_NOTHING)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        instant.isoformat(), exact(instant, context["zone"]), relative(instant)
    )


@pass_context
def _exactly(context: Context, instant: datetime | None) -> Markup:
    if instant is None:
        return Markup.escape(_NOTHING)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        instant.isoformat(), relative(instant), exact(instant, context["zone"])
    )


@pass_context
def _plainly(context: Context, instant: datetime) -> str:
    """Write an exact instant where no markup may stand."""
    return exact(instant, context["zone"])


def _number(value: Any) -> str:
    return _NOTHING if value is None else f"{value:,}"


def _many(number: int, one: str, several: str | None = None) -> str:
    """Return `1 message`, `2 messages`."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


@cache
def _pages() -> Environment:
    pages = environment().overlay()
    pages.filters |= {
        "when": _when,
        "exactly": _exactly,
        "heading": heading,
        "plainly": _plainly,
        "number": _number,
        "words": lambda name: str(name).replace("_", " "),
    }
    pages.globals |= {
        "many": _many, "asset": address, "pages": _PAGES, "settings_pages": _SETTINGS, "longest": LONGEST_WRITTEN,
    }  # fmt: skip
    return pages
