"""The pages and the API as an ASGI application: `app`, served by `fleet web` or by any other ASGI server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from workers.watch.metrics import metrics
from workers.web.api import cron, inbound, routes
from workers.web.api.problems import HANDLERS
from workers.web.api.reference import docs
from workers.web.api.users import users
from workers.web.console.routes import ROUTES
from workers.web.headers import SafeHeaders
from workers.web.limits import SmallBodies
from workers.web.unsubscribe import ask, unsubscribe


def _health(_: Request) -> Response:
    """Say that this process answers."""
    return PlainTextResponse("ok\n")


def _robots(_: Request) -> Response:
    """Keep search engines out of other people's links."""
    return PlainTextResponse("User-agent: *\nDisallow: /\n")


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    users.close()


# The pages are plain routes: OpenAPI describes what programs call.
service: Final = FastAPI(
    title="P1 automation fleet",
    version=version("p1-fleet"),
    openapi_url="/api/openapi.json",
    docs_url=None,  # those pages load their scripts from elsewhere
    redoc_url=None,
    redirect_slashes=False,
    exception_handlers=HANDLERS,
    lifespan=_lifespan,
    routes=[
        Route("/unsubscribe/{token}", ask, methods=["GET"]),
        Route("/unsubscribe/{token}", unsubscribe, methods=["POST"]),
        Route("/api/docs", docs),
        Route("/health", _health),
        Route("/metrics", metrics),
        Route("/robots.txt", _robots),
    ],
)
service.include_router(routes.router)
service.include_router(inbound.router)
service.include_router(cron.router)
service.router.routes += ROUTES  # looked through last: people wait for other things

# Outside everything else, so that even an unexpected error's answer bears the headers.
app: Final = SafeHeaders(SmallBodies(service))
