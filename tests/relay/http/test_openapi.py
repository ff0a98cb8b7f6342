"""The document of the API is made from the routes, and says all of them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tests.ends import world_at
from vetrelay.relay.http.app import ROUTES, build_app
from vetrelay.relay.http.openapi import document


def told() -> dict[str, Any]:
    """The document."""
    decoded: dict[str, Any] = msgspec.json.decode(document(ROUTES, version="1"))
    return decoded


def references(value: object) -> Iterator[str]:
    """Every $ref in the document."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_every_reference_leads_somewhere() -> None:
    """A reader of the document finds every type that it names."""
    whole = told()
    for reference in set(references(whole)):
        found: Any = whole
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


async def test_it_has_exactly_the_routes_that_are_served(tmp_path: Path) -> None:
    """Nothing hidden, nothing promised."""
    async with world_at(tmp_path) as world:
        app = build_app(world.relay)
        served = {
            (route.method.lower(), re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.resource.canonical))
            for route in app.router.routes()
            if route.resource is not None and route.method != "*"
        }
        shown = (await world.call("GET", "/openapi.json")).body
    assert served == {(method, path) for path, methods in shown["paths"].items() for method in methods}
    assert "3.1.0" == shown["openapi"]


def test_every_route_says_what_it_is_and_how_it_may_fail() -> None:
    """A summary, problem documents, and the bearer where one is needed."""
    for methods in told()["paths"].values():
        for operation in methods.values():
            assert operation["summary"].endswith(".")
            assert "500" in operation["responses"]
            assert ("security" in operation) == ("401" in operation["responses"]) or "security" not in operation


def test_every_part_of_a_path_is_a_parameter() -> None:
    """As the specification demands."""
    for path, methods in told()["paths"].items():
        for operation in methods.values():
            named = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
            assert re.findall(r"\{(\w+)\}", path) == named
