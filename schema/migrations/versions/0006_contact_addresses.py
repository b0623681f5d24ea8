"""An index by which the sender of a mail is found among the contacts."""

from workers.db.migrate import run_migration_sql

revision = "0006_contact_addresses"
down_revision = "0005_inbound"


def upgrade() -> None:
    """Apply 0006_contact_addresses.sql."""
    run_migration_sql("0006_contact_addresses.sql", transactional=False)


def downgrade() -> None:
    """Take it back."""
    run_migration_sql("0006_contact_addresses.rollback.sql")
