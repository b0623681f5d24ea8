"""What goes wrong, said as RFC 9457 problem details: one sentence for people, a status for programs."""

import logging
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any, Final

import psycopg
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from workers.errors import FleetError

logger = logging.getLogger(__name__)

_MEDIA_TYPE: Final = "application/problem+json"
_UNROUTED: Final = {  # where no route took the request, the framework says no sentence
    HTTPStatus.NOT_FOUND.phrase: "There is nothing at this address.",
    HTTPStatus.METHOD_NOT_ALLOWED.phrase: "This address does not take that method.",
}
_UNAVAILABLE: Final = "The fleet cannot answer now; its log says why. Please try again later."


class Problem(BaseModel):
    """RFC 9457: what was wrong with a request, or with the fleet."""

    model_config = ConfigDict(extra="forbid")

    type: str = "about:blank"
    title: str = Field(description="the status in words")
    status: int
    detail: str = Field(description="what was wrong with this request, in one sentence")
    errors: dict[str, str] | None = Field(default=None, description="what is wrong with each field, in one sentence")


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of an operation's problems."""
    content = {_MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def problem(
    status: int, detail: str, *, headers: Mapping[str, str] | None = None, errors: dict[str, str] | None = None
) -> JSONResponse:
    """Return the answer that says what went wrong.

    Args:
        status: of HTTP.
        detail: one sentence.
        headers: of the answer, beside its type.
        errors: a sentence for each field that is wrong.
    """
    said = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors)
    return JSONResponse(said.model_dump(exclude_none=True), status, headers, _MEDIA_TYPE)


async def _refused(_: Request, error: HTTPException) -> JSONResponse:
    return problem(error.status_code, _UNROUTED.get(error.detail, error.detail), headers=error.headers)


async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    errors: dict[str, str] = {}
    for one in error.errors():
        # The place is query or body, then the field; what is wrong with the body as a whole is said of the body.
        place = [str(part) for part in one["loc"]]
        field = "body" if one["type"] == "json_invalid" else ".".join(place[1:]) or place[0]
        errors.setdefault(field, sentence(one["msg"]))
    return problem(422, " ".join(f"{field}: {said}" for field, said in errors.items()), errors=errors)


def sentence(message: str) -> str:
    """Return what a library or the database says as a sentence."""
    text = message.removeprefix("Value error, ").rstrip(".")
    first = text.partition(" ")[0]
    return f"{text[:1].upper() if first.isalpha() else text[:1]}{text[1:]}."  # a name stays as it is written


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    logger.warning("%s %s cannot be answered: %s", request.method, request.url.path, error)
    return problem(503, _UNAVAILABLE)


async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    return problem(500, "The fleet made a mistake; its log says which.")  # the server logs what is not expected


HANDLERS: Final[dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]]] = {
    HTTPException: _refused,
    RequestValidationError: _invalid,
    psycopg.OperationalError: _unavailable,  # no connection, a lock, a statement that took too long
    FleetError: _unavailable,
    Exception: _unexpected,
}
