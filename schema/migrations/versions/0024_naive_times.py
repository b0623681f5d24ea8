"""More words, and the indexes of open deals by them and by instants, whatever the CRM keeps its times in."""

from workers.db.migrate import run_migration_sql

revision = "0024_naive_times"
down_revision = "0023_watch"


def upgrade() -> None:
    """Apply 0024_naive_times.sql."""
    run_migration_sql("shipped_words.sql")
    run_migration_sql("0024_naive_times.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0024_naive_times.rollback.sql")
