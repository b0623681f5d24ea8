"""How much a request may bring: a body is held in memory before anybody knows who sent it."""

from typing import Final

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MOST_BYTES: Final = 64 * 1024


class SmallBodies:
    """Refuses to read more of a body than any request of the API needs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        size = 0

        async def receive_a_little() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > _MOST_BYTES:
                raise HTTPException(413, f"A request's body may have {_MOST_BYTES // 1024} KiB at most.")
            return message

        await self._app(scope, receive_a_little, send)
