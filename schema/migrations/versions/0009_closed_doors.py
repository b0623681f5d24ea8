"""References that cannot cross tenants, stops of the operator, bounds on what a tenant can make the fleet do."""

from workers.db.migrate import run_migration_sql

revision = "0009_closed_doors"
down_revision = "0008_correspondence"


def upgrade() -> None:
    """Apply 0009_closed_doors.sql."""
    run_migration_sql("0009_closed_doors.sql")


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0009_closed_doors.rollback.sql")
