"""The schema's revisions in order, by the names of their files: cheap to ask, Alembic stays unimported."""

from typing import Final

from workers.resources import shipped

VERSION_TABLE: Final = "fleet_schema_version"
HISTORY_TABLE: Final = "fleet_migration_history"
KNOWN: Final = tuple(sorted(path.stem for path in (shipped("schema") / "migrations" / "versions").glob("0*.py")))
