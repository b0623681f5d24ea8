"""Inbound mail, what was set aside, and what providers and people decided."""

from workers.db.migrate import run_migration_sql

revision = "0005_inbound"
down_revision = "0004_indexes"


def upgrade() -> None:
    """Apply 0005_inbound.sql."""
    run_migration_sql("0005_inbound.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0005_inbound.rollback.sql")
