"""P1: ten tables, five columns on deals."""

from workers.db.migrate import run_migration_sql

revision = "0002_p1"
down_revision = "0001_core"


def upgrade() -> None:
    """Apply 0002_p1.sql."""
    run_migration_sql("0002_p1.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0002_p1.rollback.sql")
