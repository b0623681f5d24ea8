"""The style sheet, the console's own script, and htmx as its package ships it."""

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

_OWN: Final = Path(__file__).parent / "assets"
_HTMX: Final = "htmx.js"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_KNOWN: Final = ("console.css", "console.js", "icon.svg", _HTMX)


def asset(request: Request) -> Response:
    """Return a file of the console's. Its address changes with its content, so it is kept for good."""
    name = request.path_params["name"]
    if name not in _KNOWN:
        return PlainTextResponse("There is no such file.\n", 404)
    return Response(
        _content(name), media_type=_TYPES[Path(name).suffix],
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )  # fmt: skip


@cache
def address(name: str) -> str:
    """Return the address of a file as it is now."""
    return f"/console/assets/{name}?{hashlib.sha256(_content(name)).hexdigest()[:12]}"


@cache
def _content(name: str) -> bytes:
    if name == _HTMX:
        return files("js_lib_htmx").joinpath("static/htmx/htmx.min.js").read_bytes()
    return (_OWN / name).read_bytes()
