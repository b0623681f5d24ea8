"""A timetable per tenant, and a row of the ledger for every slot that is expected."""

from workers.db.migrate import run_migration_sql

revision = "0031_timetable"
down_revision = "0030_pauses"


def upgrade() -> None:
    """Apply 0031_timetable.sql."""
    run_migration_sql("0031_timetable.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0031_timetable.rollback.sql")
