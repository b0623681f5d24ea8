"""What every operation of the API has in common: who calls, whether that one may, and what is kept of it."""

import hashlib
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import Parameter, Signature, signature
from typing import Annotated, Any, Final
from uuid import UUID

import psycopg
from fastapi import APIRouter, Header
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from workers.db.session import Connection
from workers.runtime.roles import Role, may
from workers.web.api.identity import Caller, KnownCaller
from workers.web.api.problems import described, sentence
from workers.web.api.users import NOT_ALLOWED, become_user, become_worker, called, users

_CHANGES: Final = ("POST", "PUT", "PATCH", "DELETE")
_RAISED: Final = "exec_stmt_raise"  # where PostgreSQL says that an error of PL/pgSQL comes from
_NO_TENANT: Final = "There is no such tenant."

OfTenant = Annotated[
    UUID | None,
    Header(alias="Fleet-Tenant", description="an operator's token alone: which tenant; left out: all of them"),
]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=255,
        description="the same request under the same key gets the same answer for a day, and is carried out once",
    ),
]  # fmt: skip


@dataclass(slots=True)
class Call:
    """A request of a known caller, inside that caller's transaction.

    Attributes:
        connection: the database as the caller sees it; for an operator as the workers do.
        tenant: the caller's own; for an operator the one that was named, None for all.
        role: what the caller may do.
        who: as it is kept of whatever is done.
        request: as it came.
        headers: of the answer.
        task: what is done after the answer has left.
    """

    connection: Connection
    tenant: UUID | None
    role: Role
    who: str
    request: Request
    headers: dict[str, str] = field(default_factory=dict)
    task: BackgroundTask | None = None
    _done: list[tuple[str, str]] = field(default_factory=list)

    @property
    def done(self) -> Sequence[tuple[str, str]]:
        """What is kept in the trail: what was done, and to what."""
        return self._done

    @property
    def one_tenant(self) -> UUID:
        """The tenant that this is about.

        Raises:
            HTTPException: 422, an operator named none.
        """
        if self.tenant is None:
            raise HTTPException(422, "The header Fleet-Tenant must say which tenant an operator means.")
        return self.tenant

    def called(self, function: str, *arguments: Any) -> list[Any]:
        """Return what a function of console_pages.sql or its like yields for the tenant, as JSON."""
        return called(self.connection, function, self.tenant, *arguments)

    def called_for_one(self, function: str, *arguments: Any) -> list[Any]:
        """Return the same of a function that is about one tenant; raises as `one_tenant` does."""
        return called(self.connection, function, self.one_tenant, *arguments)

    def found(self, rows: list[Any], what: str) -> Any:
        """Return the one row there is.

        Raises:
            HTTPException: 404, there is none.
        """
        if not rows:
            raise HTTPException(404, f"There is no such {what}.")
        return rows[0]

    def require(self, least: Role) -> None:
        """Make sure that the caller has a role, or a higher one.

        Raises:
            HTTPException: 403, it has not.
        """
        if not may(self.role, least):
            raise HTTPException(403, f"This needs the role {least}; yours is {self.role}.")

    def did(self, what: str, item: object) -> None:
        """Keep in the trail what was done, and to what."""
        self._done.append((what, str(item)))


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table of routes.

    Attributes:
        method: of HTTP.
        path: below /api.
        run: takes a `Call`, and by keyword what its signature asks of path, query and body; its docstring is what
            OpenAPI says, and its name the operation's.
        answer: the type of what it returns.
        least: the role that may.
        problems: its statuses beside those that every operation has.
        status: of the answer.
        headers: of the answer, by what they mean.
    """

    method: str
    path: str
    run: Callable[..., Any]
    answer: Any
    least: Role = "reader"
    problems: tuple[int, ...] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def add_operation(router: APIRouter, operation: Operation) -> None:
    """Let a router serve an operation, and describe it."""
    changes = operation.method in _CHANGES
    statuses = {401, 403, 404, 422, 429, 503, *operation.problems}
    if changes:
        statuses |= {400, 413}
    if operation.method == "POST":
        statuses |= {409}
    headers = {name: {"description": said, "schema": {"type": "string"}} for name, said in operation.headers.items()}
    router.add_api_route(
        operation.path,
        _endpoint(operation),
        methods=[operation.method],
        response_model=operation.answer,
        status_code=operation.status,
        responses=described(*sorted(statuses)) | ({operation.status: {"headers": headers}} if headers else {}),
        operation_id=operation.run.__name__,
        description=f"{operation.run.__doc__ or ''}\n\nLeast role: {operation.least}.",
        tags=[operation.path.split("/")[1]],
    )


def _endpoint(operation: Operation) -> Callable[..., Coroutine[Any, Any, Response]]:
    """Return what FastAPI calls: with what the operation asks for, and who calls."""
    answer: TypeAdapter[Any] = TypeAdapter(operation.answer)

    async def endpoint(
        *, request: Request, caller: Caller, of_tenant: UUID | None, key: str | None = None, **given: Any
    ) -> Response:
        body = await request.body() if key is not None else b""
        asked = _Asked(request, caller, of_tenant, key, body)
        return await run_in_threadpool(_answered, operation, answer, asked, given)

    own = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in list(signature(operation.run).parameters.values())[1:]]
    common: dict[str, Any] = {"request": Request, "caller": KnownCaller, "of_tenant": OfTenant}
    if operation.method == "POST":
        common["key"] = Key
    optional = {"of_tenant": None, "key": None}
    asked = [
        Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind, default=optional.get(name, Parameter.empty))
        for name, kind in common.items()
    ]
    endpoint.__signature__ = Signature([*asked, *own])  # type: ignore[attr-defined]
    return endpoint


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request is beside what its operation takes."""

    request: Request
    caller: Caller
    of_tenant: UUID | None
    key: str | None
    body: bytes

    def digest(self) -> bytes:
        """By which another request under the same key is told from the same one."""
        url = self.request.url
        head = f"{self.request.method} {url.path}?{url.query} {self.of_tenant} "
        return hashlib.sha256(head.encode() + self.body).digest()


def _answered(operation: Operation, answer: TypeAdapter[Any], asked: _Asked, given: Mapping[str, Any]) -> Response:
    """Carry an operation out: all of it, with what is kept of it, or nothing."""
    with _told(), users.begun() as connection:
        if asked.key is not None and (kept := _kept_answer(connection, asked, asked.key)):
            return kept
        call = _call(connection, asked)
        call.require(operation.least)
        said = answer.dump_json(answer.validate_python(operation.run(call, **given)))
        if call.done or asked.key is not None:
            become_worker(connection)
        for what, item in call.done:
            connection.execute(
                "SELECT note_console(%s, NULL, %s, %s, %s, %s)",
                [call.tenant, call.who, what, item, asked.request.client.host if asked.request.client else None],
            )
        if asked.key is not None:
            kept_for = [asked.caller.subject, asked.key, call.tenant]
            connection.execute(
                "SELECT keep_answer(%s, %s, %s, %s, %s, %s, %s)",
                [*kept_for, asked.digest(), operation.status, Jsonb(call.headers), said],
            )
    return Response(said, operation.status, call.headers, "application/json", call.task)


def _call(connection: Connection, asked: _Asked) -> Call:
    """Let the transaction be the caller's.

    Raises:
        HTTPException: 403, the caller belongs to no tenant; 404, the tenant that was named is not there for the caller.
    """
    if asked.caller.operator is None:
        acting = become_user(connection, asked.caller.claims)
        if asked.of_tenant not in (None, acting.tenant):
            raise HTTPException(404, _NO_TENANT)
        return Call(connection, acting.tenant, acting.role, acting.who, asked.request)
    become_worker(connection)
    if asked.of_tenant and not connection.execute("SELECT FROM tenants WHERE id = %s", [asked.of_tenant]).rowcount:
        raise HTTPException(404, _NO_TENANT)
    return Call(connection, asked.of_tenant, "operator", asked.caller.operator, asked.request)


def _kept_answer(connection: Connection, asked: _Asked, key: str) -> Response | None:
    """Return what the same request was answered before; None if it is the first one, which nobody else answers now.

    Raises:
        HTTPException: 409, it is being answered now; 422, another request came under this key.
    """
    become_worker(connection)
    before = connection.execute("SELECT * FROM answer_before(%s, %s)", [asked.caller.subject, key]).fetchone()
    if before is None:
        return None
    if before["in_flight"]:
        raise HTTPException(
            409, "A request under this Idempotency-Key is being answered now; ask again for its answer."
        )
    if before["request_hash"] != asked.digest():
        raise HTTPException(422, "Another request was made under this Idempotency-Key: each needs a key of its own.")
    return Response(before["body"], before["status"], before["headers"], "application/json")


@contextmanager
def _told() -> Iterator[None]:
    """Say what the database refuses as the problem that it is."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        is_ours = error.diag.source_function == _RAISED  # else it names what a user knows nothing of
        raise HTTPException(403, _words(error) if is_ours else NOT_ALLOWED) from error
    except psycopg.errors.NoDataFound as error:
        raise HTTPException(404, _words(error)) from None
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        raise HTTPException(409, _words(error)) from None
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise HTTPException(422, _words(error)) from None


def _words(error: psycopg.Error) -> str:
    return sentence(error.diag.message_primary or "There is a value in it that no field takes")
