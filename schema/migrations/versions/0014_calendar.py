"""The calendar of each tenant: its time zone and its locale."""

from workers.db.migrate import run_migration_sql

revision = "0014_calendar"
down_revision = "0013_reference_indexes"


def upgrade() -> None:
    """Apply 0014_calendar.sql."""
    run_migration_sql("0014_calendar.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0014_calendar.rollback.sql")
