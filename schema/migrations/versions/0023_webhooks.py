"""Whom a tenant wants told of what happens."""

from workers.db.migrate import run_migration_sql

revision = "0023_webhooks"
down_revision = "0021_letters"


def upgrade() -> None:
    """Apply 0023_webhooks.sql."""
    run_migration_sql("0023_webhooks.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0023_webhooks.rollback.sql")
