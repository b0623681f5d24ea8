"""Deals: a deal that went quiet is followed up, by the limits of its stage, and handed to its owner after the last.

Promises: every stalled deal is reached, the longest silent first; real activity or an answer ends the series at once;
the fleet's own messages are no activity; a step counts when its message was sent; the owner gets exactly one task when
the series is over.
"""

from datetime import timedelta

from workers.engines.base import Engine, sql_batch

ENGINE = Engine(
    name="deals",
    batch=sql_batch("run_deals_batch"),
    catch_up=timedelta(hours=5),
    subject_type="deal",
    templates={
        "deal_follow_up": "email",
        "deal_handover": "task",
        "deal_no_contact": "task",
        "deal_unreachable": "task",
        "deals_long_silent": "task",
    },
    claims_all=True,
)
