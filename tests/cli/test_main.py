"""The program as a whole: its help, its exit codes, its one form of error."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tests.gateway import clean_environment
from vetrelay.cli.main import COMMANDS, cli
from vetrelay.cli.run import EndCommand
from vetrelay.errors import Fault, Refusal

LOUD = {"VETRELAY_DEBUG": "0", "NO_COLOR": "1"}


def run(*words: str, home: Path | None = None, **environment: str) -> Result:
    """A command line in this process."""
    where = ["--home", str(home)] if home else []
    return CliRunner().invoke(cli, [*where, *words], env={**LOUD, **environment}, prog_name="vetrelay")


def every_command() -> list[tuple[str, click.Command]]:
    """Each command with the words that call it."""
    found: list[tuple[str, click.Command]] = []
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {inner}", each) for inner, each in command.commands.items()]
    return found


def test_help_lists_every_command_with_its_own_first_line() -> None:
    """The lines that `--help` shows without loading the commands are the commands' own."""
    own = {name: command.get_short_help_str(200) for name, command in every_command() if name in COMMANDS}
    assert own == {name: line for name, (_, line) in COMMANDS.items()}


def test_help_tells_exit_codes_and_settings() -> None:
    """Whoever scripts finds the codes and the variables where they look first."""
    out = run("--help").stdout
    for told in (
        "3  a rule said no",
        "4  nothing there",
        "VETRELAY_HOME",
        "VETRELAY_PASSPHRASE",
        "not for emergencies",
    ):
        assert told in out


@pytest.mark.parametrize(("words", "command"), every_command())
def test_every_command_explains_itself_with_an_example(words: str, command: click.Command) -> None:
    """Plain words, one example, and no internal term that the screen does not use."""
    shown = run(*words.split(), "--help")
    assert 0 == shown.exit_code
    if not isinstance(command, click.Group) or command.invoke_without_command:
        assert "Example" in shown.stdout
        # On a line of its own: click has not filled it into a paragraph.
        assert re.search(rf"(?m)^ {{2,}}vetrelay .*{words.rsplit(maxsplit=1)[-1]}", shown.stdout)
    for internal in ("roster", "payload", "manifest", "blob"):
        assert internal not in shown.stdout.lower()


@pytest.mark.parametrize(("words", "command"), every_command())
def test_no_command_has_a_short_option(words: str, command: click.Command) -> None:
    """An id may begin with a dash and any letter, so no letter alone is an option."""
    assert [] == [name for param in command.params for name in param.opts if name.startswith("-") and name[1] != "-"]
    assert isinstance(command, EndCommand | click.Group), words


def test_help_loads_nothing_heavy() -> None:
    """People script it: `--help` and a typing mistake answer at once."""
    program = (
        "import sys\nfrom vetrelay.cli.main import main\nsys.argv = ['vetrelay', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'aiohttp', 'sqlalchemy', 'rich', 'cryptography', 'msgspec', 'nacl', 'PIL', 'asyncio'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=clean_environment(), capture_output=True, text=True, check=True
    )
    assert "[]" == done.stdout.splitlines()[-1]


@pytest.mark.parametrize("words", [["sned"], ["send"], ["--nonsense"], ["case", "invite", "x", "--role", "king"]])
def test_what_is_not_understood_ends_with_2_in_the_one_form(words: list[str]) -> None:
    """A usage error says what happened, that nothing was done, and where to look."""
    ended = run(*words)
    assert 2 == ended.exit_code
    assert "" == ended.stdout
    lines = ended.stderr.splitlines()
    assert ["vetrelay:", "  safe   nothing was done", "  code   usage"] == [lines[0][:9], lines[1], lines[-1]]
    assert lines[-2].startswith("  to do  see `vetrelay")


def test_nothing_there_ends_with_4(tmp_path: Path) -> None:
    """A home without an identity is not an error of the machine, and not a refusal."""
    ended = run("case", "list", home=tmp_path)
    assert (4, "") == (ended.exit_code, ended.stdout)
    assert "  code   no_identity" in ended.stderr


def test_a_refusal_ends_with_3(tmp_path: Path) -> None:
    """A rule said no, and says what to do."""
    ended = run("device", "export-identity", home=tmp_path)
    assert 3 == ended.exit_code
    assert "  to do  repeat with `--unsafe-print`" in ended.stderr


def test_a_fault_ends_with_1(tmp_path: Path) -> None:
    """Nobody listens at that address: ours or the network's, and repeating is safe."""
    words = ("--relay", "http://127.0.0.1:9", "clinic", "create", "Name", "--as", "Person", "--code", "x")
    ended = run(*words, home=tmp_path)
    assert 1 == ended.exit_code
    assert "  code   unreachable" in ended.stderr
    assert "repeating the command cannot send anything twice" in ended.stderr


def test_an_unexpected_error_tells_its_place_and_nothing_it_carried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of a stranger's error may hold anything, so only its type and place are shown."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("swordfish")

    monkeypatch.setattr("vetrelay.cli.device.own_keyring", broken)
    ended = run("device", "export-identity", "--unsafe-print", home=tmp_path)
    assert 1 == ended.exit_code
    assert "program_failed (at RuntimeError test_main.py:" in ended.stderr
    assert "swordfish" not in ended.stderr


def test_a_folder_that_cannot_be_used_is_a_fault(tmp_path: Path) -> None:
    """A home that is a file's child: the error tells the reason and not the path."""
    (tmp_path / "file").write_text("")
    ended = run("case", "list", home=tmp_path / "file" / "home")
    assert ended.exit_code in (1, 4)
    assert str(tmp_path) not in ended.stderr


@pytest.mark.parametrize("place", ["before", "after"])
def test_home_and_relay_are_understood_before_and_after_the_command(tmp_path: Path, place: str) -> None:
    """A person need not remember which options belong to the program and which to the command."""
    options = ["--home", str(tmp_path / "x"), "--relay", "http://127.0.0.1:9"]
    command = ["clinic", "create", "Name", "--as", "Person", "--code", "x"]
    words = [*options, *command] if place == "before" else [*command, *options]
    assert "  code   unreachable" in run(*words).stderr


def test_the_variables_are_understood(tmp_path: Path) -> None:
    """VETRELAY_HOME and VETRELAY_RELAY stand for the options."""
    words = ("clinic", "create", "Name", "--as", "Person", "--code", "x")
    ended = run(*words, VETRELAY_HOME=str(tmp_path / "x"), VETRELAY_RELAY="http://127.0.0.1:9")
    assert "  code   unreachable" in ended.stderr
    assert "  code   relay_needed" in run(*words, VETRELAY_HOME=str(tmp_path / "y")).stderr


@pytest.mark.parametrize("identifier", ["-" + "a" * 21, "-" + "-" * 42])
def test_an_id_that_begins_with_a_dash_is_an_id(tmp_path: Path, identifier: str) -> None:
    """One id in 64 does."""
    assert 4 == run("read", identifier, "--json", home=tmp_path).exit_code


def test_the_shell_completes_commands_and_choices() -> None:
    """click writes the shell's part; ours is not to stand in its way."""
    asked = {"COMP_WORDS": "vetrelay send x --purpose ", "COMP_CWORD": "4", "_VETRELAY_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-c", "from vetrelay.cli.main import main; main()"],
        env=clean_environment(**asked),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ["plain,wound", "plain,skin", "plain,eye"] == done.stdout.split()


def test_a_reader_who_leaves_early_is_no_error() -> None:
    """`vetrelay … | head` ends in peace."""
    done = subprocess.run(
        f"{sys.executable} -m vetrelay.cli.main --help | true; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "" == done.stderr


def test_errors_raise_only_the_two_words_of_the_domain() -> None:
    """Whatever a command raises on purpose is a Refusal, a Fault, or click's word for usage."""
    folder = Path(importlib.import_module("vetrelay.cli.main").__file__ or "").parent
    raised = {
        node.exc.func.id if isinstance(node.exc.func, ast.Name) else ast.unparse(node.exc.func)
        for path in folder.glob("*.py")
        if not path.name.startswith("demo")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    }
    assert raised <= {Refusal.__name__, Fault.__name__, "click.UsageError"}
