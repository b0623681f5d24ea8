"""Indexes by which the console reads compliance page by page."""

from workers.db.migrate import run_migration_sql

revision = "0030_console_indexes"
down_revision = "0029_api"


def upgrade() -> None:
    """Apply 0030_console_indexes.sql."""
    run_migration_sql("0030_console_indexes.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0030_console_indexes.rollback.sql")
