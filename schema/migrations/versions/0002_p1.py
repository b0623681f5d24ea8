"""P1: ten tables, five columns on deals. What an earlier P1 has under these names is set aside, and given back."""

from workers.db.migrate import run_migration_sql

revision = "0002_p1"
down_revision = "0001_core"


def upgrade() -> None:
    """Apply 0002_p1.sql."""
    run_migration_sql("adoption/shape.sql", "adoption/set_aside.sql", "0002_p1.sql", "adoption/made.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0002_p1.rollback.sql", "adoption/give_back.sql")
