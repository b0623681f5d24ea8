"""The place of a run in a trace."""

from workers.db.migrate import run_migration_sql

revision = "0033_traces"
down_revision = "0031_timetable_indexes"


def upgrade() -> None:
    """Apply 0033_traces.sql."""
    run_migration_sql("0033_traces.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0033_traces.rollback.sql")
