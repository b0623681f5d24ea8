"""The table of routes: every operation for users and programs, what it answers, and the least role that may."""

from typing import Final

from fastapi import APIRouter

from workers.web.api import (
    actions,
    analytics,
    compliance,
    engines,
    explain,
    quotes,
    rows,
    runs,
    settings,
    suppressions,
    templates,
    words,
)
from workers.web.api.calls import Operation, add_operation
from workers.web.api.pages import Page, Rows

_ETAG: Final = {"ETag": "of the settings as they are now, for If-Match"}

OPERATIONS: Final = (
    Operation("GET", "/engines/deals/stalled", engines.due_read(
        "stalled_deals", "get_stalled_deals",
        "List stalled deals that are due for a follow-up or the hand-over, the longest silent first."),
        Rows[rows.StalledDeal]),
    Operation("GET", "/engines/enrichment/pending", engines.due_read(
        "pending_enrichment", "get_pending_enrichment",
        "List found contact data that waits for its merge, the oldest first."), Rows[rows.PendingEnrichment]),
    Operation("GET", "/engines/signals/unactioned", engines.due_read(
        "unactioned_signals", "get_unactioned_signals",
        "List signals that nobody acted on, the strongest first."), Rows[rows.UnactionedSignal]),
    Operation("GET", "/engines/compliance/due", engines.due_read(
        "compliance_due", "get_compliance_due",
        "List checks that wait for a reminder, becoming overdue or their escalation, the longest waiting first."),
        Rows[rows.DueCheck]),
    Operation("POST", "/engines/feedback/schedule", engines.schedule_feedback, rows.ScheduledRequest, "agent"),
    Operation("POST", "/engines/quotes/followup", engines.quotes_followup, Rows[rows.DueQuote]),
    Operation("POST", "/quotes/{quote_id}/send", quotes.send_quote, quotes.QuoteState, "agent"),
    Operation("POST", "/quotes/{quote_id}/views", quotes.view_quote, quotes.QuoteState, "agent"),
    Operation("POST", "/quotes/{quote_id}/outcome", quotes.end_quote, quotes.QuoteState, "agent"),
    Operation("POST", "/compliance/{check_id}/waive", compliance.waive_check, compliance.CheckState, "agent"),
    Operation("POST", "/compliance/{check_id}/complete", compliance.complete_check, compliance.CheckState, "agent"),
    Operation("POST", "/compliance/{check_id}/answer", compliance.answer_check, compliance.CheckState, "agent"),
    Operation("GET", "/actions", actions.list_actions, Page[actions.Action]),
    Operation("POST", "/actions/preview", actions.preview_decision, actions.Meaning, "agent"),
    Operation("POST", "/actions/decide", actions.decide_actions, actions.Done, "agent"),
    Operation("GET", "/actions/{action_id}", actions.show_action, actions.WholeAction),
    Operation("PATCH", "/actions/{action_id}", actions.edit_action, actions.WholeAction, "agent", (409,)),
    Operation("POST", "/actions/{action_id}/approve", actions.approve_action, actions.WholeAction, "agent"),
    Operation("POST", "/actions/{action_id}/cancel", actions.cancel_action, actions.WholeAction, "agent"),
    Operation("POST", "/actions/{action_id}/retry", actions.retry_action, actions.WholeAction, "agent"),
    Operation("GET", "/runs", runs.list_runs, Page[runs.Run]),
    Operation("POST", "/runs", runs.start_run, runs.Started, "operator", status=202),
    Operation("GET", "/runs/missed", runs.list_missed, Rows[runs.Missed], "operator"),
    Operation("POST", "/runs/backfill", runs.backfill, Rows[runs.Missed], "operator", status=202),
    Operation("GET", "/runs/{run_id}", runs.show_run, runs.Run),
    Operation("POST", "/runs/{run_id}/cancel", runs.cancel_run, runs.Run, "operator"),
    Operation("GET", "/settings", settings.show_settings, settings.Settings, headers=_ETAG),
    Operation("PATCH", "/settings", settings.change_settings, settings.Settings, "manager", (412, 428), headers=_ETAG),
    Operation("PUT", "/settings", settings.replace_settings, settings.Settings, "manager", (412, 428), headers=_ETAG),
    Operation("GET", "/words", words.list_words, Rows[words.Word]),
    Operation("PUT", "/words", words.explain_word, Rows[words.Word], "manager"),
    Operation("GET", "/templates", templates.list_templates, Rows[templates.Template]),
    Operation("GET", "/templates/{template}", templates.show_template, templates.TemplateText),
    Operation("PUT", "/templates/{template}", templates.edit_template, templates.TemplateText, "manager"),
    Operation("POST", "/templates/{template}/preview", templates.preview_template, Rows[templates.Reading]),
    Operation("POST", "/templates/{template}/reset", templates.reset_template, templates.TemplateText, "manager"),
    Operation("GET", "/suppressions", suppressions.list_suppressions, Page[suppressions.Suppression]),
    Operation("POST", "/suppressions", suppressions.add_suppression, Rows[suppressions.Added], "agent"),
    Operation("POST", "/suppressions/remove", suppressions.remove_suppression, suppressions.Removed, "manager"),
    Operation("GET", "/explain", explain.explain, explain.Explanation),
    Operation("GET", "/analytics/deal-stage-velocity", analytics.view_read(
        "deal_stage_velocity", "Say how long deals were in the stage before, by the stage that they reached."),
        Rows[rows.StageVelocity]),
    Operation("GET", "/analytics/quote-win-rates", analytics.view_read(
        "quote_win_rates", "Say how quotes ended, and what they were worth."), Rows[rows.WinRate]),
    Operation("GET", "/analytics/signal-action-rates", analytics.view_read(
        "signal_action_rates", "Say how many signals of each type were noticed, and what came of them."),
        Rows[rows.SignalRate]),
    Operation("GET", "/analytics/compliance-completion-rates", analytics.view_read(
        "compliance_completion_rates", "Say how the checks of each type stand."), Rows[rows.CompletionRate]),
)  # fmt: skip

router: Final = APIRouter(prefix="/api")
for _operation in OPERATIONS:
    add_operation(router, _operation)
