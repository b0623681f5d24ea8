"""`/api/docs`: the API's operations on one page, read from the same description as /api/openapi.json."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import HTMLResponse

from workers.web.pages import rendered

Schema = dict[str, Any]


class Field(NamedTuple):
    """A parameter, or a field of a body or an answer."""

    name: str
    kind: str
    required: bool
    description: str


class Operation(NamedTuple):
    """What the page says of one operation."""

    method: str
    path: str
    description: str
    credential: str
    parameters: list[Field]
    body: list[Field]
    answer: list[Field]
    problems: list[tuple[str, str]]


def docs(request: Request) -> HTMLResponse:
    """Show every operation of the API."""
    description = request.app.openapi()
    return HTMLResponse(
        rendered("api.html.j2", title=description["info"]["title"], operations=list(_operations(description)))
    )


def _operations(description: Schema) -> Iterator[Operation]:
    models, known = description["components"]["schemas"], description["components"]["securitySchemes"]
    for path, item in description["paths"].items():
        for method, operation in item.items():
            responses = operation["responses"]
            yield Operation(
                method.upper(),
                path,
                operation["description"],
                " or ".join(known[name]["description"] for choice in operation["security"] for name in choice),
                [
                    Field(one["name"], _kind(one["schema"]), one["required"], one.get("description", ""))
                    for one in operation.get("parameters", [])
                ],
                list(_fields(operation["requestBody"], models)) if "requestBody" in operation else [],
                [field for said in _answers(responses) for field in _fields(said, models)],
                [(status, said["description"]) for status, said in responses.items() if not _is_answer(status)],
            )


def _is_answer(status: str) -> bool:
    return status.startswith("2")


def _answers(responses: Schema) -> list[Schema]:
    return [said for status, said in responses.items() if _is_answer(status)]


def _fields(message: Schema, models: Schema) -> Iterator[Field]:
    """Yield the fields of a body or an answer; of a list of objects in it, those of one of them."""
    for media_type, content in message["content"].items():
        if media_type != "application/json":
            yield Field("body", media_type, message.get("required", False), "")
            continue
        model = _model(content["schema"], models)
        for name, schema in model["properties"].items():
            item = _model(schema["items"], models) if schema.get("type") == "array" else {}
            inner = item.get("properties", {name: schema})
            required = item.get("required", []) if item.get("properties") else model.get("required", [])
            before = f"{name}[]." if item.get("properties") else ""
            for field, kind in inner.items():
                yield Field(before + field, _kind(kind), field in required, kind.get("description", ""))


def _model(schema: Schema, models: Schema) -> Schema:
    for one in schema.get("anyOf", [schema]):
        if "$ref" in one:
            found: Schema = models[one["$ref"].rpartition("/")[2]]
            return found
    return schema


def _kind(schema: Schema) -> str:
    """Return a type in words: `uuid`, `string or null`, `list of string`."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_kind, schema["anyOf"])))
    if "$ref" in schema:
        return "object"
    if "enum" in schema:
        return " | ".join(schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return str(schema.get("format") or schema.get("type", "any"))
