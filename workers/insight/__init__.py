"""Judgement: pure, deterministic functions over text; no database, no network, no Celery."""
