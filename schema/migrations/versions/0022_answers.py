"""What a tenant says about answers, and what is kept of a message that was sent."""

from workers.db.migrate import run_migration_sql

revision = "0022_answers"
down_revision = "0021_letters"


def upgrade() -> None:
    """Apply 0022_answers.sql."""
    run_migration_sql("0022_answers.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0022_answers.rollback.sql")
