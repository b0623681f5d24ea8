"""Where the files that travel with the package are: beside it in a checkout, inside it when installed."""

from functools import cache
from pathlib import Path


@cache
def shipped(name: str) -> Path:
    """Return the path of `schema` or `Procfile`.

    Raises:
        FileNotFoundError: neither place has it; the installation is damaged.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "_shipped" / name, package.parent / name):
        if candidate.exists():
            return candidate
    raise FileNotFoundError(f"{name} is missing from this installation of the fleet")
