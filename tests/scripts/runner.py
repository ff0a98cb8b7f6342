"""Runs a CLI script: a text of commands and what they must answer, with the files they need behind it.

    # a comment, for the reader
    > as vet                          who types from here on: each has a home folder of their own
    > vetrelay case open --title Luna
    exit 0                            the exit code; 0 where nothing is said
    stdout [A-Za-z0-9_-]{43}          a regular expression that must be found in what it printed
    stderr opened                     the same for diagnostics; `!stdout`, `!stderr` must not be found
    set case                          keeps the whole of standard output, stripped, as ${case}
    json .entries.0.text == Hello     a place in the JSON document, and what must stand there (as text)
    exists out/photo.jpg              (or !exists) a file in the script's folder
    hash out/photo.jpg ${sum}         its SHA-256, in hex

    -- note.txt --
    files follow, each behind a line with its name between dashes

The folder of the script's files is where its commands run. `${url}`, `${clinic_code}` and `${offer}` are given.
"""

import hashlib
import json
import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.gateway import PROGRAM, Done, clean_environment

_FILE = re.compile(r"^-- (?P<name>.+?) --\n", re.MULTILINE)
_KEPT = re.compile(r"\$\{(\w+)\}")


@dataclass(kw_only=True)
class Script:
    """A script on its way: where it runs, as whom, what it keeps, how its last command ended."""

    folder: Path
    kept: dict[str, str]
    who: str = "somebody"
    done: Done = field(default_factory=lambda: Done(code=0, out="", err=""))
    checked: bool = True

    def step(self, line: str) -> None:
        """One line of the script. Raises AssertionError with what was said instead."""
        word, _, rest = _KEPT.sub(lambda found: self.kept[found[1]], line).partition(" ")
        told = f"\n{line}\n--- exit {self.done.code}\n{self.done.out}--- stderr\n{self.done.err}"
        match word:
            case ">":
                assert self.checked or self.done.code == 0, told
                self.command(rest)
            case "exit":
                assert int(rest) == self.done.code, told
                self.checked = True
            case "stdout" | "!stdout" | "stderr" | "!stderr":
                said = self.done.out if word.endswith("stdout") else self.done.err
                assert bool(re.search(rest, said, re.MULTILINE)) == (not word.startswith("!")), told
            case "set":
                self.kept[rest] = self.done.out.strip()
            case "json":
                place, _, wanted = rest.partition(" == ")
                assert wanted == found_in(json.loads(self.done.out), place), told
            case "exists" | "!exists":
                assert (self.folder / rest).exists() == (word == "exists"), told
            case "hash":
                name, wanted = rest.split()
                assert wanted == hashlib.sha256((self.folder / name).read_bytes()).hexdigest(), told
            case _:
                raise AssertionError(f"there is no step {word!r}")

    def command(self, line: str) -> None:
        """`as WHO`, or a command of the program."""
        words = shlex.split(line)
        if words[0] == "as":
            self.who = words[1]
            self.done, self.checked = Done(code=0, out="", err=""), True
            return
        settings = [word for word in words if re.match(r"[A-Z_]+=", word)]
        assert words[len(settings)] == "vetrelay", line
        home = {"VETRELAY_HOME": str(self.folder / "homes" / self.who)}
        ended = subprocess.run(
            [*PROGRAM, *words[len(settings) + 1 :]],
            env=clean_environment(**home, **dict(word.split("=", 1) for word in settings)),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        self.done, self.checked = Done(code=ended.returncode, out=ended.stdout, err=ended.stderr), False


def found_in(document: Any, place: str) -> str:
    """What stands at `.key.0.key` of a JSON document, as text; `.length` counts a list."""
    for part in place.strip(".").split("."):
        document = len(document) if part == "length" else document[int(part) if part.isdecimal() else part]
    return document if isinstance(document, str) else json.dumps(document)


def run_script(path: Path, folder: Path, given: Mapping[str, str]) -> None:
    """Runs a script in a folder, its files written there first."""
    parts = _FILE.split(path.read_text())
    for name, content in zip(parts[1::2], parts[2::2], strict=True):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    script = Script(folder=folder, kept=dict(given))
    for number, line in enumerate(parts[0].splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            try:
                script.step(line.strip())
            except (AssertionError, KeyError, IndexError, ValueError) as wrong:
                raise AssertionError(f"{path.name}:{number}: {wrong}") from wrong
    assert script.checked or script.done.code == 0, f"the last command ended with {script.done.code}"
