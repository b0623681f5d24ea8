"""More words, and the indexes of open deals by them and by instants, whatever the CRM keeps its times in."""

from workers.db.migrate import run_migration_sql

revision = "0026_naive_times"
down_revision = "0025_webhooks"


def upgrade() -> None:
    """Apply 0026_naive_times.sql."""
    run_migration_sql("shipped_words.sql")
    run_migration_sql("0026_naive_times.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0026_naive_times.rollback.sql")
