"""Where the files that travel with the package are, and those that an installation adds for engines of its own."""

from functools import cache
from pathlib import Path

from workers.settings import settings


@cache
def shipped(name: str) -> Path:
    """Return the path of `schema`, `Procfile` or `flowerconfig.py`.

    They are beside the package in a checkout, and inside it when installed.

    Raises:
        FileNotFoundError: neither place has it; the installation is damaged.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "_shipped" / name, package.parent / name):
        if candidate.exists():
            return candidate
    raise FileNotFoundError(f"{name} is missing from this installation of the fleet")


def template_folders() -> list[Path]:
    """Return where the texts of messages and tasks are looked for, in this order."""
    shipped_texts = Path(__file__).parent / "delivery" / "templates"
    own = settings().fleet_engines_dir
    return [shipped_texts, own / "templates"] if own else [shipped_texts]


def engine_sql() -> dict[str, list[Path]]:
    """Return the SQL files of each engine: NAME.sql, or all files of the folder NAME in the order of their names."""
    folders = [shipped("schema") / "engines"]
    if own := settings().fleet_engines_dir:
        folders.append(own)
    files: dict[str, list[Path]] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.sql")):
            files.setdefault(path.relative_to(folder).parts[0].removesuffix(".sql"), []).append(path)
    return files
