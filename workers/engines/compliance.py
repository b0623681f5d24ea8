"""Compliance: recurring checks are made, asked for, and escalated; nothing that was due can fall out of sight.

Promises: one check per target and period; dates advance by calendar months from the original day; at most one
reminder a week; past due is overdue, and escalated once to a named person; a waiver needs a reason.
"""

from datetime import timedelta

from workers.engines.base import Engine, sql_batch

ENGINE = Engine(
    name="compliance",
    batch=sql_batch("run_compliance_batch"),
    catch_up=timedelta(days=3),
    subject_type="compliance_check",
    templates={
        "compliance_reminder": "email",
        "compliance_unreachable": "task",
        "compliance_unclear": "task",
        "compliance_escalation": "task",
    },
)
