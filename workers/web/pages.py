"""Pages from the templates beside this file."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def rendered(template: str, **values: object) -> str:
    """Return a page. Values are shown as text, whatever they contain; one that a template misses is an error."""
    return environment().get_template(template).render(values)


@cache
def environment() -> Environment:
    """Return what renders the pages; the console adds filters of its own."""
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
