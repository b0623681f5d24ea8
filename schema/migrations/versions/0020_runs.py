"""How often a slot was tried, and when what is left of it is tried again."""

from workers.db.migrate import run_migration_sql

revision = "0020_runs"
down_revision = "0019_hands_indexes"


def upgrade() -> None:
    """Apply 0020_runs.sql."""
    run_migration_sql("0020_runs.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0020_runs.rollback.sql")
