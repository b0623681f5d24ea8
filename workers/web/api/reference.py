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
                list(_fields(responses["200"], models)),
                [(status, said["description"]) for status, said in responses.items() if status != "200"],
            )


def _fields(message: Schema, models: Schema) -> Iterator[Field]:
    """Yield the fields of a body or an answer; where it is a list of items, those of an item."""
    model = _model(message["content"]["application/json"]["schema"], models)
    properties = model["properties"]
    before = ""
    if list(properties) == ["items"]:
        model, before = _model(properties["items"]["items"], models), "items[]."
    for name, schema in model["properties"].items():
        yield Field(before + name, _kind(schema), name in model.get("required", []), schema.get("description", ""))


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
    return str(schema.get("format") or schema["type"])
