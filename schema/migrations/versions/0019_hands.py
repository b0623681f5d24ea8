"""Decisions of people, and suppressions of one engine."""

from workers.db.migrate import run_migration_sql

revision = "0019_hands"
down_revision = "0018_series_indexes"


def upgrade() -> None:
    """Apply 0019_hands.sql."""
    run_migration_sql("0019_hands.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0019_hands.rollback.sql")
