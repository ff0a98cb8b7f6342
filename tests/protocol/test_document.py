"""docs/protocol.md says what the code does: its fields, its codes, its routes, its worked example."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import vetrelay.protocol
from tests.vectors.example import BEGIN, DOCUMENT, END, SEALED, Example, chapter
from vetrelay.protocol.statement import Body
from vetrelay.relay.http.app import ROUTES

TEXT = DOCUMENT.read_text()
RULES = TEXT[: TEXT.index(BEGIN)]


def modules() -> Iterator[str]:
    """The modules of the protocol."""
    for found in pkgutil.walk_packages(vetrelay.protocol.__path__, "vetrelay.protocol."):
        yield found.name


def bodies() -> list[type[Body]]:
    """Every form that stands on the wire."""
    found: list[type[Body]] = []
    for name in modules():
        module = importlib.import_module(name)
        kinds = (each for each in vars(module).values() if isinstance(each, type) and each.__module__ == name)
        found += [kind for kind in kinds if issubclass(kind, Body)]
    return found


def chapter_of(module: str) -> str:
    """The text of a module's chapter."""
    part_of = {
        "bymail": "manifest",
        "derive": "invitation",
        "finding": "manifest",
        "partystate": "party",
        "roster": "authority",
    }
    name = part_of.get(module, module)
    found = re.search(rf"(?ms)^## \d+\. [^\n]*\(`{name}`\)\n(.*?)(?=^## )", RULES)
    assert found is not None, name
    return found[1]


@pytest.mark.parametrize("body", bodies(), ids=lambda body: body.__name__)
def test_every_field_of_every_form_stands_in_its_chapter(body: type[Body]) -> None:
    """Under the name it has on the wire; a tag under its value too."""
    text = chapter_of(body.__module__.rsplit(".", 1)[1])
    names = {field.encode_name for field in msgspec.structs.fields(body)}
    tag = body.__struct_config__.tag
    assert set() == {name for name in names | ({str(tag)} if tag else set()) if f"`{name}`" not in text}


def test_every_code_of_the_protocol_is_explained() -> None:
    """A second implementation answers with the same ones."""
    codes: set[str] = set()
    for name in modules():
        source = Path(importlib.import_module(name).__file__ or "")
        codes |= set(re.findall(r'Refusal\(\s*"([a-z0-9_]+)"', source.read_text()))
    table = RULES[RULES.index("## 18. Codes") : RULES.index("## 19.")]
    assert len(codes) > 40
    assert set() == {code for code in codes if f"`{code}`" not in table}


def test_every_route_of_the_relay_is_listed() -> None:
    """With its method and its path; parameters as they stand in the OpenAPI document."""
    table = RULES[RULES.index("## 16. Transport") : RULES.index("## 17.")]
    rows = [row.split(" | ")[0] for row in table.splitlines() if row.startswith("| ")]
    listed = {
        (method, path)
        for row in rows
        for methods, path in re.findall(r"`([A-Z`, ]+?)`? ?(/[^`\s]*)`", row)
        for method in re.findall(r"[A-Z]+", methods)
    }
    assert {(route.method, route.path) for route in ROUTES} == listed


def test_the_worked_example_is_what_the_code_makes() -> None:
    """`python -m tests.vectors.example` writes it again."""
    shown = TEXT[TEXT.index(BEGIN) + len(BEGIN) : TEXT.index(END)]
    assert f"\n{chapter()}\n" == shown


def test_the_examples_object_is_a_plain_age_file_that_both_readers_open() -> None:
    """An encapsulation draws its own randomness, so the file is kept, and must still fit."""
    example = Example()
    example.check()
    assert SEALED.read_bytes() == example.sealed.age_file
