"""How engines work for tenants for whom nobody has decided, and who took one live."""

from workers.db.migrate import run_migration_sql

revision = "0016_first_day"
down_revision = "0015_delivery_failures"


def upgrade() -> None:
    """Apply 0016_first_day.sql."""
    run_migration_sql("0016_first_day.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0016_first_day.rollback.sql")
