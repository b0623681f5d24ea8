"""What limits workers at a time, and due items a minute."""

from workers.db.migrate import run_migration_sql

revision = "0035_limits"
down_revision = "0034_trail"


def upgrade() -> None:
    """Apply 0035_limits.sql."""
    run_migration_sql("0035_limits.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0035_limits.rollback.sql")
