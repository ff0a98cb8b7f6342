"""`device`: the keys of this home folder."""

import click

from vetrelay.cli.home import at_work, current_run, keep_keyring, own_keyring, passphrase_of, passphrase_to_set
from vetrelay.cli.run import EndGroup
from vetrelay.cli.terminal import answer, may_ask, note, printable
from vetrelay.client.keyring import is_locked, load_keyring
from vetrelay.errors import Refusal


@click.group(cls=EndGroup)
def device() -> None:
    """Look after this device's keys."""


@device.command("export-identity")
@click.option("--unsafe-print", is_flag=True, help="Yes, print the secret keys.")
def export_identity(*, unsafe_print: bool) -> None:
    """Print the party's age identity: with it, any age 1.3 or newer opens everything this party can read.

    One line for each generation of the key. Whoever has these lines can read all of this party's cases, past and to come.

    \b
    Example:
      vetrelay device export-identity --unsafe-print > luna.age-identity
    """
    if not unsafe_print:
        raise Refusal("not_printed")
    keyring = own_keyring(current_run())
    note(
        f"WARNING: these are the secret keys of {printable(keyring.party_name)}. Whoever has them reads everything that "
        "this party can read. Keep them off paper and out of mail, and destroy them when you are done."
    )
    for key in keyring.party_keys:
        answer(f"# party key, generation {key.gen}")
        answer(key.age.text)


@device.command()
def lock() -> None:
    """Lock the keyring with a passphrase, which every command asks for from then on.

    The passphrase comes from VETRELAY_PASSPHRASE, or is asked for.

    \b
    Example:
      vetrelay device lock
    """
    run = current_run()
    with at_work(run.home):
        if is_locked(run.home):
            raise Refusal("already_locked")
        keyring = load_keyring(run.home, passphrase=None)
        passphrase = passphrase_to_set()
        if passphrase is None and may_ask():
            passphrase = click.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True)
        if not passphrase:
            raise Refusal("passphrase_needed")
        keep_keyring(run.home, keyring, passphrase=passphrase)
    answer("locked")
    note("There is no way in without the passphrase: write it down where you keep such things.")


@device.command()
def unlock() -> None:
    """Remove the passphrase: whoever can read the home folder can then speak as you.

    \b
    Example:
      vetrelay device unlock
    """
    run = current_run()
    with at_work(run.home):
        keyring = load_keyring(run.home, passphrase=passphrase_of(run.home))
        keep_keyring(run.home, keyring, passphrase=None)
    answer("unlocked")
