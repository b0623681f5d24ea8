"""How much a request may bring: a body is held in memory before anybody knows who sent it."""

from typing import Final

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workers.delivery.texts import LONGEST_WRITTEN
from workers.inbound.mime import MAX_BYTES
from workers.web.api import inbound

_MOST_BYTES: Final = 64 * 1024
# Where texts are written: a form needs twelve bytes for each character that is none of the common ones.
_TEXTS: Final = ("/console/actions/", "/console/templates/", "/api/actions/", "/api/templates/")
_MOST_TEXT_BYTES: Final = 12 * LONGEST_WRITTEN + _MOST_BYTES


class SmallBodies:
    """Refuses to read more of a body than a request of its kind needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        size, most = 0, _most(scope.get("path", ""))

        async def receive_a_little() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise HTTPException(413, f"A request's body may have {most // 1024:,} KiB at most.")
            return message

        await self._app(scope, receive_a_little, send)


def _most(path: str) -> int:
    if path == inbound.PATH:
        return MAX_BYTES
    return _MOST_TEXT_BYTES if path.startswith(_TEXTS) else _MOST_BYTES
