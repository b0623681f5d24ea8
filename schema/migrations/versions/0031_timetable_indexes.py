"""The index by which slots are found of which something is to be done."""

from workers.db.migrate import run_migration_sql

revision = "0031_timetable_indexes"
down_revision = "0031_timetable"


def upgrade() -> None:
    """Apply 0031_timetable_indexes.sql."""
    run_migration_sql("0031_timetable_indexes.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0031_timetable_indexes.rollback.sql")
