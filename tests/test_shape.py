"""The shape of the tree: sizes, names, docstrings, and lists that must say the same in several places."""

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

import msgspec
import pytest

from vetrelay.errors import SENTENCES

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src" / "vetrelay"
MODULE_LINES = 300
FUNCTION_LINES = 50
NAMELESS = {
    "util", "utils", "helper", "helpers", "common", "misc", "base", "core", "manager", "managers", "models", "services",
}  # fmt: skip

STANDARD_FOLDERS = {Path(name) for name in ("/", "/home", "/mnt", "/opt", "/srv", "/tmp", "/usr/src", "/var/tmp")}

# The four-way match: a chapter of docs/protocol.md ("## N. Title (`name`)") ↔ src/vetrelay/protocol/name.py (or a package
# name/) ↔ tests/vectors/name.json. The fourth, web/src/protocol/name.ts, joins with the web app.
CHAPTERS = {
    "ids", "statement", "signature", "age", "seal", "party", "invitation", "case", "authority", "envelope", "manifest",
    "log", "grant", "session", "words",
}  # fmt: skip
# Modules whose wire form, if they have one, is told in another's chapter.
PART_OF = {
    "bymail": "manifest",
    "derive": "invitation",
    "finding": "manifest",
    "identity": "party",
    "partystate": "party",
    "roster": "authority",
    "unseal": "seal",
}


def project_files() -> Iterator[Path]:
    """Every file that is, or would be, tracked; works in a copy without git."""
    ignored = [line.strip().strip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line.strip()]
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = [
            name for name in subfolders if name != ".git" and not any(fnmatch(name, rule) for rule in ignored)
        ]
        yield from (Path(folder, name) for name in names if not any(fnmatch(name, rule) for rule in ignored))


def python_files(*tops: str) -> list[Path]:
    """The project's Python files under these folders."""
    return sorted(path for path in project_files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in tops)


def name_of(path: Path) -> str:
    """The file as a reader names it."""
    return path.relative_to(ROOT).as_posix()


def trees(*tops: str) -> Iterator[tuple[str, ast.Module]]:
    """(name, syntax tree) of each Python file under these folders."""
    return ((name_of(path), ast.parse(path.read_text())) for path in python_files(*tops))


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many lines a reader must hold in mind: all but decorators and docstring."""
    first = function.body[1] if ast.get_docstring(function) and len(function.body) > 1 else function.body[0]
    head = function.body[0].lineno - function.lineno
    return head + (function.end_lineno or 0) - first.lineno + 1


def test_no_module_is_longer_than_its_limit() -> None:
    """A module of src is at most 300 lines: one thing, readable in one sitting."""
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in python_files("src")}
    assert {} == {name: lines for name, lines in lengths.items() if lines > MODULE_LINES}


def test_no_function_is_longer_than_its_limit() -> None:
    """A function of src is at most 50 lines, its docstring not counted; a migration lists tables, however many."""
    lengths = {
        f"{name}: {node.name}": lines_of(node)
        for name, tree in trees("src")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "/migrations/" not in name
    }
    assert {} == {name: lines for name, lines in lengths.items() if lines > FUNCTION_LINES}


def test_no_module_has_a_name_that_says_nothing() -> None:
    """A helper used twice earns a name of its own."""
    assert [] == [name_of(path) for path in python_files("src", "tests") if NAMELESS & {path.stem, path.parent.name}]


def test_every_module_says_what_it_is() -> None:
    """Each module has a docstring, but for the empty __init__.py."""
    assert [] == [
        name
        for name, tree in trees("src", "tests", "requirements")
        if not name.endswith("__init__.py") and not ast.get_docstring(tree)
    ]


def test_every_package_file_is_empty() -> None:
    """A re-export in an __init__.py could break the relay's blindness without anyone seeing it."""
    assert [] == [name_of(path) for path in python_files("src") if path.name == "__init__.py" and path.read_bytes()]


# --- config ----------------------------------------------------------------------------------------------------------


def struct_keys(struct: type[msgspec.Struct], prefix: str = "") -> Iterator[str]:
    """The dotted keys of a config struct, with those of the structs inside it."""
    for key in msgspec.structs.fields(struct):
        if isinstance(key.type, type) and issubclass(key.type, msgspec.Struct):
            yield from struct_keys(key.type, f"{prefix}{key.encode_name}.")
        else:
            yield prefix + key.encode_name


def toml_keys(table: Mapping[str, object], prefix: str = "") -> Iterator[str]:
    """The dotted keys of a parsed TOML document; an empty table is a key of its own, which users fill."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from toml_keys(value, f"{prefix}{key}.")
        else:
            yield prefix + key


def test_each_config_file_has_every_key_and_no_other() -> None:
    """config/NAME.toml shows the keys of vetrelay.config.NameConfig; one that is off by default stands as `#key = …`."""
    structs: dict[str, list[str]] = {}
    if (SRC / "config.py").exists():
        known = vars(importlib.import_module("vetrelay.config"))
        structs = {
            name.removesuffix("Config").lower(): sorted(struct_keys(struct))
            for name, struct in known.items()
            if name.endswith("Config") and isinstance(struct, type) and issubclass(struct, msgspec.Struct)
        }
    shown = {
        path.stem: re.sub(r"(?m)^#(?=[a-z_]+ = )", "", path.read_text()) for path in (ROOT / "config").glob("*.toml")
    }
    assert structs == {name: sorted(toml_keys(tomllib.loads(text))) for name, text in shown.items()}


# --- codes of refusals and faults --------------------------------------------------------------------------------------


def words_outside_the_table() -> Iterator[str]:
    """Every string that stands in src, but for the keys and sentences of SENTENCES itself."""
    for name, tree in trees("src"):
        if not name.endswith("vetrelay/errors.py"):
            yield from (
                node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
            )


def raised_codes() -> Iterator[tuple[str, str]]:
    """(place, code) of every Refusal("…") and Fault("…") in src."""
    for name, tree in trees("src"):
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Name(id="Refusal" | "Fault") | ast.Attribute(attr="Refusal" | "Fault"),
                    args=[ast.Constant(value=str(code)), *_],
                ):
                    yield f"{name}:{node.lineno}", code


def test_every_code_that_is_raised_has_its_sentence() -> None:
    """A refusal or fault without a sentence would fail while it is being raised."""
    assert [] == [(place, code) for place, code in raised_codes() if code not in SENTENCES]


def test_every_sentence_is_used() -> None:
    """A code that nothing can raise misleads whoever reads the table."""
    assert [] == sorted(SENTENCES.keys() - set(words_outside_the_table()))


def test_no_code_stands_twice_in_the_table() -> None:
    """Of two entries with one key Python keeps the last, silently."""
    tree = ast.parse((SRC / "errors.py").read_text())
    tables = [node.keys for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    keys = [str(key.value) for table in tables for key in table if isinstance(key, ast.Constant)]
    assert [] == sorted({key for key in keys if keys.count(key) > 1})


# --- the four-way match ------------------------------------------------------------------------------------------------


def test_every_protocol_module_has_its_chapter() -> None:
    """A module of protocol/ is a chapter, or a named part of one; the table names nothing that is not there."""
    folder = SRC / "protocol"
    modules = {path.stem for path in folder.glob("[!_]*.py")} | {
        path.parent.name for path in folder.glob("*/__init__.py")
    }
    assert CHAPTERS | PART_OF.keys() == modules
    assert set() == set(PART_OF.values()) - CHAPTERS


def test_the_protocol_document_has_the_same_chapters() -> None:
    """Whoever writes a second implementation finds each module's rules under its name."""
    document = ROOT / "docs" / "protocol.md"
    headings = re.findall(r"(?m)^## \d+\. .*\(`(\w+)`\)$", document.read_text()) if document.exists() else []
    assert sorted(CHAPTERS) == sorted(headings)


def test_the_vectors_have_the_same_names() -> None:
    """Whoever writes a second implementation can check each chapter against bytes."""
    assert sorted(CHAPTERS) == sorted(path.stem for path in (ROOT / "tests" / "vectors").glob("*.json"))


# --- what a stranger reads ---------------------------------------------------------------------------------------------


def test_no_file_names_this_machine_or_a_package_registry() -> None:
    """The tree means the same on every machine, and names no place that packages come from."""
    # Built from pieces, so that this file does not name what it looks for.
    registries = "|".join(
        "".join(pieces) for pieces in (("py", "pi"), ("python", "hosted"), ("npm", "js"), ("deb", "ian"))
    )
    # Where this copy lies; a folder that every machine has, or one right under /, would say nothing.
    places = [
        re.escape(f"{place}/")
        for place in (ROOT, ROOT.parent)
        if place not in STANDARD_FOLDERS and place != Path("/", ROOT.name)
    ]
    patterns = [
        rf"\b(?:{registries})\.(?:org|com)\b",
        rf"(?<![\w.])(?:{'|'.join(['/(?:home|root|Users)/', *places])})\w",
    ]
    pattern = re.compile("|".join(patterns).encode())
    found = {
        name_of(path): match.group().decode()
        for path in project_files()
        if (match := pattern.search(path.read_bytes()))
    }
    assert {} == found


def help_blocks() -> Iterator[tuple[list[str], str]]:
    """(arguments, text) of each block in README.md that shows `$ vetrelay … --help`."""
    for block in re.findall(r"(?ms)^```\w*\n(.*?)^```$", (ROOT / "README.md").read_text()):
        command, _, text = block.partition("\n")
        if command.startswith("$ vetrelay") and command.endswith("--help"):
            yield command.split()[2:], text


def test_the_readme_shows_the_help_that_the_program_prints() -> None:
    """A help text in README.md is the program's own."""
    program = Path(sys.executable).parent / "vetrelay"
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
    for arguments, shown in help_blocks():
        printed = subprocess.run(
            [program, *arguments], env=environment, capture_output=True, text=True, check=True
        ).stdout
        assert printed.strip() == shown.strip()


def unreasoned(tree: ast.Module) -> Iterator[int]:
    """Line numbers of skips and expected failures that do not say why."""
    marks = {"skip", "skipif", "xfail", "importorskip"}
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if not (
            isinstance(node, ast.Attribute)
            and node.attr in marks
            and ast.unparse(node.value) in {"pytest", "pytest.mark"}
        ):
            continue
        call = called.get(id(node))
        by_place = call is not None and bool(call.args) and node.attr == "skip"
        if call is None or not (by_place or any(keyword.arg == "reason" for keyword in call.keywords)):
            yield node.lineno


def test_every_skip_says_why() -> None:
    """Whoever reads the summary learns what was not run, and what it would take."""
    assert [] == [f"{name}:{line}" for name, tree in trees("tests") for line in unreasoned(tree)]


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("@pytest.mark.skip\ndef test_x(): ...", [1]),
        ("pytest.skip()", [1]),
        ("@pytest.mark.skipif(True)\ndef test_x(): ...", [1]),
        ("pytest.skip('no disk')", []),
        ("@pytest.mark.skipif(True, reason='no disk')\ndef test_x(): ...", []),
    ],
)
def test_a_skip_without_its_reason_is_seen(source: str, lines: list[int]) -> None:
    """The check above tells a reasoned skip from a bare one."""
    assert lines == list(unreasoned(ast.parse(source)))
