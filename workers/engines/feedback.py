"""Feedback: every customer is asked once, seven days after delivery, and an unhappy answer is recovered the same day.

Promises: one request per delivered order, however the order came in; nobody is asked twice within 30 days, nor while a
case is open; every refusal keeps its reason; a bad answer opens one case and gives its owner one task.
"""

from datetime import timedelta

from workers.engines.base import Engine, sql_batch

ENGINE = Engine(
    name="feedback",
    batch=sql_batch("run_feedback_batch"),
    catch_up=timedelta(hours=12),
    subject_type="feedback_request",
    templates={"feedback_request": "email", "service_recovery": "task"},
    claims_all=True,
)
