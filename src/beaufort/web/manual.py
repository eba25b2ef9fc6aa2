"""The description of the API: for programs as OpenAPI, and for people as a page without any script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from litestar import Request, Response, get
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.serialization import encode_json

from beaufort.web.access import Permission, needs

__all__ = ["MANUAL", "Manual"]

READ = needs(Permission.READ)


PROBLEM = {
    "description": "It is not done; the answer says why.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


@get("/openapi.json", opt=READ, include_in_schema=False, sync_to_thread=False)
def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
    return Response(encode_json(_described(request.app.openapi_schema.to_schema())), media_type="application/json")


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with what all operations have in common: how they refuse."""
    for item in schema["paths"].values():
        for operation in item.values():
            # Litestar has its own idea of what a wrong request is answered with.
            operation["responses"].pop("400", None)
            operation["responses"]["default"] = PROBLEM
    return schema


class Manual(OpenAPIRenderPlugin):
    """Every operation, its parameters, and the shapes of what goes in and comes out."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002
        return "\n".join(_page(_described(openapi_schema))).encode()


def _page(schema: Mapping[str, Any]) -> Iterator[str]:
    yield '<!doctype html><html lang="en"><meta charset="utf-8"><title>Beaufort: the API</title><h1>The API</h1>'
    yield '<p>For programs: <a href="/openapi.json">openapi.json</a>.</p><h2>Operations</h2>'
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            yield from _operation(method.upper(), path, operation)
    yield "<h2>Shapes</h2>"
    for name, shape in schema["components"]["schemas"].items():
        yield f'<h3 id="{escape(name)}">{escape(name)}</h3>' + _text(shape.get("description"))
        yield "<dl>"
        for key, value in shape.get("properties", {}).items():
            yield f"<dt><code>{escape(key)}</code></dt><dd>{_kind(value)}</dd>"
        yield "</dl>"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<h3><code>{method} {escape(path)}</code></h3>" + _text(operation.get("summary"))
    yield _text(operation.get("description")) + "<ul>"
    for each in operation.get("parameters", ()):
        described = f"<code>{escape(each['name'])}</code> ({each['in']}): {escape(each.get('description', ''))}"
        yield f"<li>{described}</li>"
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"<li>body, {escape(kind)}: {_kind(content['schema'])}</li>"
    for status, answer in operation["responses"].items():
        kinds = ", ".join(_kind(content.get("schema", {})) for content in answer.get("content", {}).values())
        yield f"<li>{status}: {escape(answer['description'])} {kinds}</li>"
    yield "</ul>"


def _text(words: str | None) -> str:
    return f"<p>{escape(words)}</p>" if words else ""


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, with a link where it has a name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{escape(name)}">{escape(name)}</a>'
    for key in ("oneOf", "anyOf"):
        if key in schema:
            return " or ".join(_kind(part) for part in schema[key])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return escape(str(schema.get("type", "anything")))


MANUAL: list[Any] = [openapi]
