"""Without the indexes of open deals that go by how a stage is spelled."""

from workers.db.migrate import run_migration_sql

revision = "0011_word_indexes"
down_revision = "0010_words"


def upgrade() -> None:
    """Apply 0011_word_indexes.sql."""
    run_migration_sql("0011_word_indexes.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0011_word_indexes.rollback.sql")
