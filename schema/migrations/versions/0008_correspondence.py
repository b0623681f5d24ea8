"""How answers are placed: a digest of each mail, two more kinds, and what was sent to whom under which subject."""

from workers.db.migrate import run_migration_sql

revision = "0008_correspondence"
down_revision = "0007_engines"


def upgrade() -> None:
    """Apply 0008_correspondence.sql."""
    run_migration_sql("0008_correspondence.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0008_correspondence.rollback.sql")
