"""Links to what a text is about, from a template such as https://crm.example/{table}/{id}."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

_PLACE: Final = re.compile(r"\{(\w+)\}")


def places_of(template: str) -> set[str]:
    """Return the names that a template has in braces."""
    return set(_PLACE.findall(template))


def filled_link(template: str, values: Mapping[str, Any]) -> str | None:
    """Fill a link's template; None where a value is missing."""
    if any(values.get(name) is None for name in places_of(template)):
        return None
    return _PLACE.sub(lambda place: quote(str(values[place[1]]), safe=""), template)
