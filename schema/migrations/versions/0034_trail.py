"""Indexes by which the trail of the console is read page by page."""

from workers.db.migrate import run_migration_sql

revision = "0034_trail"
down_revision = "0034_shipped_words"


def upgrade() -> None:
    """Apply 0034_trail.sql."""
    run_migration_sql("0034_trail.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0034_trail.rollback.sql")
