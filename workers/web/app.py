"""The pages as an ASGI application: `app`, served by `fleet web` or by any other ASGI server."""

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from workers.web.headers import SafeHeaders
from workers.web.unsubscribe import ask, unsubscribe


def _health(_: Request) -> Response:
    """Say that this process answers."""
    return PlainTextResponse("ok\n")


def _robots(_: Request) -> Response:
    """Keep search engines out of other people's links."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


app = Starlette(
    routes=[
        Route("/unsubscribe/{token}", ask, methods=["GET"]),
        Route("/unsubscribe/{token}", unsubscribe, methods=["POST"]),
        Route("/health", _health),
        Route("/robots.txt", _robots),
    ],
    middleware=[Middleware(SafeHeaders)],
)
