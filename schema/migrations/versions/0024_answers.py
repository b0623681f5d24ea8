"""What a tenant says about answers, and what is kept of a message that was sent."""

from workers.db.migrate import run_migration_sql

revision = "0024_answers"
down_revision = "0023_watch"


def upgrade() -> None:
    """Apply 0024_answers.sql."""
    run_migration_sql("0024_answers.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0024_answers.rollback.sql")
