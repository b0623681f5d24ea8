"""Which views of schema/functions/analytics.sql Insight shows, and in which rows each of their numbers is looked up."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

_PERCENT: Final = "{} %"
_DAYS: Final = "{} days"


class Facts(NamedTuple):
    """A view of what happened, row by row.

    Attributes:
        columns: what is shown of a row.
        way: where a row leads: to a page of a kind, by a column.
    """

    columns: tuple[str, ...]
    way: tuple[str, str]


class View(NamedTuple):
    """A view of figures, and how it is shown.

    Attributes:
        title: of its part of the page.
        meaning: one sentence about it.
        label: the columns that name a row.
        drawn: the columns whose numbers are drawn, and what these numbers are, with them as {}.
        facts: the view whose rows it counts.
        parts: of the columns that do not count all of a group's rows: what the rows are that they do count.
        given: the column of these rows that must not be empty.
        stage: the column whose stages are in the order of the funnel.
    """

    title: str
    meaning: str
    label: tuple[str, ...]
    drawn: tuple[tuple[str, str], ...]
    facts: str
    parts: Mapping[str, tuple[str, str]]
    given: str | None = None
    stage: str | None = None


_WON: Final = ("outcome", "won")
_LOST: Final = ("outcome", "lost")
_ENDS: Final = {"won_count": _WON, "lost_count": _LOST}

VIEWS: Final = {
    "deal_stage_velocity": View(
        "How fast deals move", "How many deals reached a stage, and the days that they spent in the one before.",
        ("to_stage",), (("transitions", "{} deals"), ("median_days", _DAYS)), "deal_moves", {},
        stage="to_stage",
    ),
    "quote_win_rates": View(
        "How quotes end", "How many were won, and what they were worth.", (), (("win_rate_pct", _PERCENT),),
        "quote_decisions",
        {**_ENDS, "no_decision_count": ("outcome", "no_decision"), "avg_won_amount": _WON, "avg_lost_amount": _LOST},
    ),
    "quote_win_rates_by_stage": View(
        "Where quotes are won", "By the stage that the deal was in.", ("stage",), (("win_rate_pct", _PERCENT),),
        "quote_decisions", _ENDS, "deal_id", "stage",
    ),
    "quote_win_rates_by_amount": View(
        "At what amounts", "By the amount of the quote, from that much on to the next.", ("amount_from",),
        (("win_rate_pct", _PERCENT),), "quote_decisions", _ENDS,
    ),
    "quote_win_rates_by_reason": View(
        "For which reasons", "By the reason that was given with the outcome.", ("reason",),
        (("total_quotes", "{} quotes"),), "quote_decisions", _ENDS,
    ),
    "quote_competitors": View(
        "Against whom", "How quotes end where a competitor was named.", ("competitor",), (("win_rate_pct", _PERCENT),),
        "quote_decisions", _ENDS,
    ),
    "quote_decision_times": View(
        "How long a decision takes", "Days from sending a quote to its outcome.", ("outcome",),
        (("median_days", _DAYS),), "quote_decisions", {}, "seconds",
    ),
    "quote_decision_spread": View(
        "How decisions spread", "By the days that they took, from that many on to the next.", ("days_from",),
        (("total_quotes", "{} quotes"),), "quote_decisions", _ENDS,
    ),
    "outreach_effect": View(
        "What came of outreach",
        "E-mails sent by template and step, and what followed; the true share of answers likely lies between the two.",
        ("template", "step"), (("answered_pct", _PERCENT),), "outreach_sent",
        {
            f"{name}_{unit}": (name, "true")
            for name in ("answered", "positive", "opted_out", "bounced", "won_after") for unit in ("count", "pct")
        },
    ),
    "signal_action_rates": View(
        "What came of signals", "Opportunities that were noticed, and how many somebody acted on.", ("signal_type",),
        (("action_rate_pct", _PERCENT),), "signals_noticed",
        {"actioned_count": ("actioned", "true"), "avg_hours_to_action": ("actioned", "true")},
    ),
    "compliance_completion_rates": View(
        "How compliance stands", "Checks by type: completed, overdue and waived.", ("compliance_type",),
        (("completion_rate_pct", _PERCENT),), "checks_made",
        {
            "completed_count": ("standing", "completed"), "overdue_count": ("standing", "overdue"),
            "waived_count": ("standing", "waived"), "avg_days_to_complete": ("standing", "completed"),
        },
    ),
}  # fmt: skip

FACTS: Final = {
    "deal_moves": Facts(("title", "from_stage", "to_stage", "days_in_previous_stage", "at"), ("deal", "deal_id")),
    "quote_decisions": Facts(
        ("quote_number", "title", "outcome", "stage", "reason", "competitor", "amount", "days", "at"),
        ("quote", "quote_id"),
    ),
    "outreach_sent": Facts(
        (
            "sent_subject", "sent_to", "template", "step", "answered", "positive", "opted_out", "bounced", "won_after",
            "at",
        ),
        ("action", "id"),
    ),
    "signals_noticed": Facts(
        ("signal_type", "signal_strength", "source_type", "extracted_text", "actioned", "action_taken", "at"),
        ("found", "address"),
    ),
    "checks_made": Facts(
        ("entity_name", "compliance_type", "entity_type", "status", "due_at", "completed_at", "at"), ("check", "id")
    ),
}  # fmt: skip


def path_of(facts: Facts, row: Mapping[str, Any]) -> str | None:
    """Return where a row of facts leads; None where it names nothing that has a page."""
    kind, column = facts.way
    item = row[column]
    if item is None:
        return None
    match kind:
        case "action":
            return f"/console/actions/{item}"
        case "check":
            return f"/console/compliance/{item}"
        case "found":
            return f"/console/find?{urlencode({'q': item})}"
    return f"/console/timeline/{row['tenant_id']}/{kind}/{quote(str(item))}"
