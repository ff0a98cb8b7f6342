"""The documents name commands, settings and files that exist."""

import re
from pathlib import Path
from typing import Final

import click
import pytest

from vetrelay.cli.main import cli

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "systemd" / "README.md"]
WORD: Final = re.compile(r"[a-z][a-z-]*")


def called(line: str) -> tuple[list[str], set[str]]:
    """The command's words and its options, as they stand behind `vetrelay` in a line."""
    words = re.sub(r"^(--(?:home|relay) \S+ )+", "", line.split("#", maxsplit=1)[0]).split()
    path: list[str] = []
    command: click.Command = cli
    for word in words:
        if not isinstance(command, click.Group) or not WORD.fullmatch(word):
            break
        found = command.get_command(click.Context(command), word)
        if found is None:
            return [*path, word], set()
        path.append(word)
        command = found
    return path, {word.partition("=")[0] for word in words if re.fullmatch(r"--[a-z-]+", word)}


def find(path: list[str]) -> click.Command | None:
    """The command of these words."""
    command: click.Command | None = cli
    for word in path:
        if not isinstance(command, click.Group):
            return None
        command = command.get_command(click.Context(command), word)
    return command


def lines_of(page: Path) -> list[str]:
    """What stands behind `vetrelay` in code, in a block or between backticks."""
    text = page.read_text()
    blocks = [
        match
        for block in re.findall(r"(?ms)^```\w*\n(.*?)^```$", text)
        for match in re.findall(r"(?m)^vetrelay (.*)$", block)
    ]
    return blocks + re.findall(r"`vetrelay ([^`]*)`", re.sub(r"(?ms)^```.*?^```$", "", text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_names_exists_with_its_options(page: Path) -> None:
    """Whoever types what they read is understood."""
    wrong = []
    for line in lines_of(page):
        path, options = called(line)
        command = find(path)
        if not path or command is None:
            wrong.append(line)
            continue
        known = {"--home", "--relay"} | {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
        wrong += [f"{line}: {option}" for option in options - known]
    assert [] == wrong


def test_every_link_between_pages_leads_somewhere() -> None:
    """A page that is named is there, and so is its heading."""
    wrong = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]*(?:#[^)]*)?)\)", page.read_text()):
            name, _, anchor = target.partition("#")
            other = (page.parent / name).resolve() if name else page
            headings = re.findall(r"(?m)^#+ (.*)$", other.read_text()) if anchor and other.is_file() else []
            anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
            if not other.exists() or (anchor and anchor not in anchors):
                wrong.append(f"{page.name}: {target}")
    assert [] == wrong


def test_the_shown_settings_of_the_bridge_each_have_their_reason() -> None:
    """No key of config/bridge.toml stands without a comment above it or above the block that it belongs to."""
    lines = (ROOT / "config" / "bridge.toml").read_text().splitlines()
    above = ""
    unexplained = []
    for line in lines:
        is_key = bool(re.match(r"#?[a-z_]+ = ", line))
        if is_key and not above.startswith("#") and not re.match(r"#?[a-z_]+ = ", above):
            unexplained.append(line)
        above = line
    assert [] == unexplained
