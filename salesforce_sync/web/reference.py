"""The documentation of the API: OpenAPI as JSON, and a page made of it that needs no script and no other host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from importlib import resources
from typing import Any

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response


def reference(app: FastAPI) -> None:
    """Serve `/openapi.json` and `/docs`."""

    async def document(request: Request) -> Response:
        return Response(msgspec.json.encode(app.openapi()), media_type="application/json")

    async def page(request: Request) -> Response:
        return HTMLResponse(_page(app.openapi()))

    async def style(request: Request) -> Response:
        text = resources.files(__package__).joinpath("reference.css").read_text(encoding="utf-8")
        return Response(text, media_type="text/css", headers={"Cache-Control": "max-age=3600"})

    app.add_route("/openapi.json", document, include_in_schema=False)
    app.add_route("/docs", page, include_in_schema=False)
    app.add_route("/docs/reference.css", style, include_in_schema=False)


def _page(document: Mapping[str, Any]) -> str:
    operations = "".join(
        _operation(path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    types = "".join(_type(name, schema) for name, schema in sorted(document["components"]["schemas"].items()))
    title = escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: the HTTP API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="/static/icon.svg" type="image/svg+xml">'
        '<link rel="stylesheet" href="/docs/reference.css"></head><body><main>'
        f"<h1>{title} {escape(document['info']['version'])}</h1><p>{_text(document['info']['description'])}</p>"
        '<p><a href="/openapi.json">openapi.json</a></p>'
        f"<h2>Requests</h2>{operations}<h2>Types</h2>{types}</main></body></html>"
    )


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    lines = [*_parameters(operation), *_request_body(operation), *_answers(operation)]
    summary, *rest = operation.get("description", "").split("\n\n", 1)
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> {_text(summary)}</summary>"
        f"{''.join(f'<p>{_text(each)}</p>' for each in rest)}<table>{''.join(lines)}</table></details>"
    )


def _parameters(operation: Mapping[str, Any]) -> Iterator[str]:
    for each in operation.get("parameters", ()):
        what = escape(_kind(each.get("schema", {})))
        yield _row(f"{each['in']} <code>{escape(each['name'])}</code>", f"{what} {_text(each.get('description', ''))}")


def _request_body(operation: Mapping[str, Any]) -> Iterator[str]:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield _row("body", _link(content["schema"]))


def _answers(operation: Mapping[str, Any]) -> Iterator[str]:
    for status, answer in sorted(operation["responses"].items()):
        kinds = ", ".join(_link(each["schema"]) for each in answer.get("content", {}).values() if "schema" in each)
        yield _row(escape(str(status)), f"{kinds} {_text(answer['description'])}")


def _row(name: str, what: str) -> str:
    return f"<tr><th>{name}</th><td>{what}</td></tr>"


def _type(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = "".join(
        _row(f"<code>{escape(field)}</code>{'' if field in required else ' (may be left out)'}", _link(kind))
        for field, kind in schema.get("properties", {}).items()
    )
    text = _text(schema.get("description", ""))
    return (
        f'<details id="{escape(name)}"><summary><b>{escape(name)}</b> {text}</summary><table>{rows}</table></details>'
    )


def _link(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "items" in schema:
        return f"list of {_link(schema['items'])}"
    if "anyOf" in schema:
        return " or ".join(_link(each) for each in schema["anyOf"])
    return escape(_kind(schema))


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"])
    return str(schema.get("type", "any value"))


def _text(text: str) -> str:
    """Prose; what stands in backticks is code."""
    parts = escape(" ".join(text.split())).split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))
