"""The index that finds cases without a client."""

from workers.db.migrate import run_migration_sql

revision = "0024_answers_indexes"
down_revision = "0024_answers"


def upgrade() -> None:
    """Apply 0024_answers_indexes.sql."""
    run_migration_sql("0024_answers_indexes.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0024_answers_indexes.rollback.sql")
