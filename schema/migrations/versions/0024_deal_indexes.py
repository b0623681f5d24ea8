"""More words, and the indexes of open deals by them, cheap for the CRM's writes."""

from workers.db.migrate import run_migration_sql

revision = "0024_deal_indexes"
down_revision = "0023_watch"


def upgrade() -> None:
    """Apply 0024_deal_indexes.sql."""
    run_migration_sql("shipped_words.sql")
    run_migration_sql("0024_deal_indexes.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0024_deal_indexes.rollback.sql")
