"""Delivery: carries out what the outbox holds. It knows actions, templates and channels, and no engine."""
