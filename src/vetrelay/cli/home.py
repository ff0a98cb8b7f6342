"""The home folder: who a command speaks as, and how it opens that end. Clock, dice and environment are asked here."""

import asyncio
import fcntl
import functools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import click
from msgspec import structs

from vetrelay.cli.bars import bars
from vetrelay.cli.run import Run
from vetrelay.cli.terminal import may_ask, note
from vetrelay.client.end import End, open_end
from vetrelay.client.keyring import Keyring, is_locked, load_keyring, save_keyring
from vetrelay.errors import Refusal

PASSPHRASE_VARIABLE = "VETRELAY_PASSPHRASE"  # noqa: S105  # the name of a variable, not its value
LOCK_NAME = "lock"
P = ParamSpec("P")
T = TypeVar("T")


def now_ms() -> int:
    """The clock."""
    return time.time_ns() // 1_000_000


def current_run() -> Run:
    """Where the command at hand keeps its things."""
    run = click.get_current_context().find_object(Run)
    assert run is not None
    return run


def passphrase_of(home: Path) -> str | None:
    """The passphrase of a locked keyring: from the environment, or asked. Raises Refusal `passphrase_needed`."""
    if not is_locked(home):
        return None
    told = os.environ.get(PASSPHRASE_VARIABLE)
    if told is not None:
        return told
    if not may_ask():
        raise Refusal("passphrase_needed")
    asked: str = click.prompt("Passphrase of this keyring", hide_input=True, err=True)
    return asked


def passphrase_to_set() -> str | None:
    """The passphrase that a new keyring is locked with, if any."""
    return os.environ.get(PASSPHRASE_VARIABLE) or None


def own_keyring(run: Run) -> Keyring:
    """The keyring of this run's home, at the address that `--relay` names if it does. Raises Refusal `no_identity`."""
    keyring = load_keyring(run.home, passphrase=passphrase_of(run.home))
    return replace_address(keyring, run.relay_url)


def replace_address(keyring: Keyring, relay_url: str | None) -> Keyring:
    """The keyring with another address for the same relay, for this run."""
    return structs.replace(keyring, relay_url=relay_url) if relay_url else keyring


def keep_keyring(home: Path, keyring: Keyring, *, passphrase: str | None) -> None:
    """Writes the keyring durably, locked if there is a passphrase."""
    save_keyring(home, keyring, passphrase=passphrase, salt=os.urandom(16), nonce=os.urandom(24))


@contextmanager
def at_work(home: Path) -> Iterator[None]:
    """One at a time, where the identity itself is made or changed; verbs take their own turns in the journal."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(home / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("another command is at work in this home folder; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # and with it the lock, as at any other end of the process


@asynccontextmanager
async def end_of(run: Run, keyring: Keyring) -> AsyncIterator[End]:
    """The end of a keyring, with this machine's clock and dice."""
    async with open_end(run.home, keyring, now_ms=now_ms, random_bytes=os.urandom, progress=bars()) as end:
        yield end


def with_end(verb: Callable[Concatenate[End, P], Awaitable[T]]) -> Callable[P, T]:
    """Makes a command of a verb: as the identity that lives in the home folder."""

    @functools.wraps(verb)
    def command(*args: P.args, **kwargs: P.kwargs) -> T:
        run = current_run()
        keyring = own_keyring(run)

        async def work() -> T:
            async with end_of(run, keyring) as end:
                return await verb(end, *args, **kwargs)

        return asyncio.run(work())

    return command
