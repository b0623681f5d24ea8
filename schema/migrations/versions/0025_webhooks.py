"""Whom a tenant wants told of what happens."""

from workers.db.migrate import run_migration_sql

revision = "0025_webhooks"
down_revision = "0024_answers_indexes"


def upgrade() -> None:
    """Apply 0025_webhooks.sql."""
    run_migration_sql("0025_webhooks.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0025_webhooks.rollback.sql")
