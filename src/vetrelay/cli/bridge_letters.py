"""`bridge waiting` and `bridge unfiled`: letters that staff decide about."""

from collections.abc import Iterable
from typing import Final

import click

from vetrelay.cli.bridge_correspondents import checked_address
from vetrelay.cli.by_email import waiting_json, waiting_lines
from vetrelay.cli.find import find_case
from vetrelay.cli.home import with_end
from vetrelay.cli.reading import freshest
from vetrelay.cli.run import EndCommand, IdText
from vetrelay.cli.terminal import Exit, answer, answer_json, answer_lines, note
from vetrelay.client.end import End
from vetrelay.client.follow import AWAY, follow
from vetrelay.client.mail import mail_state, rule_letter
from vetrelay.client.news import receive as receive_news
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.bymail import LetterWaiting
from vetrelay.protocol.ids import CaseId

SHORTEST_LETTER: Final = 6

_Found = tuple[CaseId, LetterWaiting]


@click.command("waiting", cls=EndCommand)
@click.argument("case", type=IdText(), required=False)
@click.option("--take", metavar="LETTER", help="Let this letter into its case.")
@click.option("--deny", metavar="LETTER", help="Turn this letter away; its sender is not told.")
@click.option(
    "--list", "listed", is_flag=True, help="With --take: letters of this sender come in by themselves from now on."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_end
async def waiting(
    end: End, case: str | None, *, take: str | None, deny: str | None, listed: bool, as_json: bool
) -> int:
    """Show the letters that wait; let one in, or turn it away.

    In one case, or in all. A letter waits when its sender is not listed, or when nothing proves who sent it: anybody can write any name on a
    letter. Ends with code 4 when none waits.

    \b
    Examples:
      vetrelay bridge waiting
      vetrelay bridge waiting --take k3v7qd --list
      vetrelay bridge waiting --deny k3v7qd
    """
    if take is not None and deny is not None:
        raise click.UsageError("--take and --deny are two wishes; give them one after the other.")
    if listed and take is None:
        raise click.UsageError("--list goes with --take.")
    found = await _letters(end, case, front_door=False)
    wanted = take or deny
    if wanted is None:
        return _show(found, as_json=as_json, none="no letter waits")
    at, letter = _meant(found, wanted)
    promised = await rule_letter(
        end, at, letter.letter, take=take is not None, listed=listed and _is_new(end, at, letter)
    )
    _ruled(at, letter, "is let into" if take else "is kept out of", at, as_json=as_json)
    end.journal.report(promised.id)
    return Exit.OK


@click.command("unfiled", cls=EndCommand)
@click.option("--file", "file", nargs=2, metavar="LETTER CASE", help="File this letter into this case.")
@click.option("--decline", metavar="LETTER", help="Turn this letter away; its sender is not told.")
@click.option(
    "--list", "listed", is_flag=True, help="With --file: its sender takes part in that case by email from now on."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_end
async def unfiled(end: End, *, file: tuple[str, str] | None, decline: str | None, listed: bool, as_json: bool) -> int:
    """Show the letters to the practice's general address; file one, or decline it.

    They belong to no case yet, and can be read in the case that they came into. Ends with code 4 when none waits.

    \b
    Examples:
      vetrelay bridge unfiled
      vetrelay bridge unfiled --file k3v7qd 8fK2xQ
      vetrelay bridge unfiled --decline k3v7qd
    """
    if file is not None and decline is not None:
        raise click.UsageError("--file and --decline are two wishes; give them one after the other.")
    if listed and file is None:
        raise click.UsageError("--list goes with --file.")
    found = await _letters(end, None, front_door=True)
    if file is not None:
        at, letter = _meant(found, file[0])
        into = find_case(end, file[1])
        await follow(end, into)
        new = listed and _is_new(end, into, letter)
        promised = await rule_letter(end, at, letter.letter, take=True, into=into, listed=new)
        _ruled(at, letter, "is filed into", into, as_json=as_json)
    elif decline is not None:
        at, letter = _meant(found, decline)
        promised = await rule_letter(end, at, letter.letter, take=False)
        _ruled(at, letter, "is declined in", at, as_json=as_json)
    else:
        return _show(found, as_json=as_json, none="no letter waits to be filed")
    end.journal.report(promised.id)
    return Exit.OK


async def _letters(end: End, case: str | None, *, front_door: bool) -> list[_Found]:
    """What waits: in one case, or in all that this identity knows, fetched in one go."""
    if case is not None:
        found = find_case(end, case)
        states = [(found, mail_state(end, found, await freshest(end, found)))]
    else:
        try:
            await receive_news(end, wait_seconds=0)
        except Fault as fault:
            if fault.code not in AWAY:
                raise
            note("the message server cannot be reached; shown is what is kept here")
        states = [(row.id, mail_state(end, row.id)) for row in end.journal.cases() if row.tail.n]
    found_all = [(at, letter) for at, state in states for letter in state.waiting.values()]
    return sorted(
        ((at, letter) for at, letter in found_all if letter.front_door is front_door),
        key=lambda one: one[1].received,
    )


def _meant(found: Iterable[_Found], wanted: str) -> _Found:
    """A letter by its number, or the beginning of it. Raises Refusal `no_such_letter`, `which_letter`."""
    lowered = wanted.lower()
    matching = [one for one in found if one[1].letter.startswith(lowered)]
    if not matching or len(lowered) < SHORTEST_LETTER:
        raise Refusal("no_such_letter")
    if len(matching) > 1:
        raise Refusal("which_letter")
    return matching[0]


def _is_new(end: End, case: CaseId, letter: LetterWaiting) -> bool:
    """Whether a letter's sender is not listed yet: who is, stays written to as they were.

    Raises Refusal `no_mail_address` for a sender that is none.
    """
    return checked_address(letter.sender) not in mail_state(end, case).correspondents


def _show(found: list[_Found], *, as_json: bool, none: str) -> int:
    if as_json:
        answer_json({"letters": [waiting_json(at, letter) for at, letter in found]})
    elif found:
        answer_lines(line for at, letter in found for line in waiting_lines(at, letter))
    else:
        note(none)
    return Exit.OK if found else Exit.NOTHING


def _ruled(at: CaseId, letter: LetterWaiting, words: str, case: CaseId, *, as_json: bool) -> None:
    if as_json:
        answer_json({"letter": letter.letter, "from_case": at, "case": case, "ruling": words})
    else:
        answer(f"letter {letter.letter} {words} case {case}")
