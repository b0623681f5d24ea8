"""Whom a tenant wants told of what happens."""

from workers.db.migrate import run_migration_sql

revision = "0024_webhooks"
down_revision = "0023_watch"


def upgrade() -> None:
    """Apply 0024_webhooks.sql."""
    run_migration_sql("0024_webhooks.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0024_webhooks.rollback.sql")
