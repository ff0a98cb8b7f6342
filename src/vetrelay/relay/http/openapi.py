"""OpenAPI 3.1, made from the routes and their types: it cannot say anything that the code does not."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from vetrelay.relay.http.routes import Content, Route

ALWAYS = (HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE)
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence: what happened and what to do."},
        "code": {"type": "string", "description": "Stable: what programs decide by."},
    },
}


def document(routes: Sequence[Route], *, version: str) -> bytes:
    """The OpenAPI document of these routes, as JSON."""
    types = [kind for route in routes for content in (route.takes, route.gives) for kind in _types(content)]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schema_of = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, path, schema_of)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "VetRelay relay", "version": version},
            "paths": paths,
            "components": {
                "schemas": {**components, "Problem": PROBLEM},
                "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _operation(route: Route, path: str, schema_of: dict[int, dict[str, Any]]) -> dict[str, Any]:
    refusals = {*ALWAYS, *route.refusals, *((HTTPStatus.UNAUTHORIZED,) if route.bearer else ())}
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses: dict[str, Any] = {str(route.status.value): _content(route.status.phrase, route.gives, schema_of)}
    for status in sorted(refusals):
        responses[str(status.value)] = {"description": status.phrase, "content": problem}
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    parameters += [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
        for name, text in route.query.items()
    ]
    operation: dict[str, Any] = {"summary": route.summary, "parameters": parameters, "responses": responses}
    if route.takes is not None:
        operation["requestBody"] = {"required": True, **_content("", route.takes, schema_of)}
        del operation["requestBody"]["description"]
    if route.bearer:
        operation["security"] = [{"bearer": []}]
    return operation


def _types(content: Content) -> tuple[type, ...]:
    if content is None or isinstance(content, str):
        return ()
    return content if isinstance(content, tuple) else (content,)


def _content(description: str, content: Content, schema_of: dict[int, dict[str, Any]]) -> dict[str, Any]:
    if content is None:
        return {"description": description}
    if isinstance(content, str):
        return {"description": description, "content": {content: {}}}
    schemas = [schema_of[id(kind)] for kind in _types(content)]
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return {"description": description, "content": {"application/json": {"schema": schema}}}
