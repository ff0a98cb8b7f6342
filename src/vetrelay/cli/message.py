"""`send read save verify`: speaking in a case, and taking out of it what others said."""

import sys
from contextlib import suppress
from pathlib import Path

import click

from vetrelay.cli.by_email import composed_words
from vetrelay.cli.find import find_case
from vetrelay.cli.home import with_end
from vetrelay.cli.outbox_words import tell_refusals
from vetrelay.cli.reading import freshest, hex_of, thread_json, thread_lines
from vetrelay.cli.run import EndCommand, IdText
from vetrelay.cli.terminal import Exit, Line, answer, answer_json, answer_lines, may_ask, note, printable
from vetrelay.cli.words import count, local, problem_sentence, reason_sentence
from vetrelay.client.end import End
from vetrelay.client.fetch import NotSaved, Saved, save_attachments
from vetrelay.client.follow import Followed, follow, recall
from vetrelay.client.mail import mail_state
from vetrelay.client.news import greet_newcomers
from vetrelay.client.recheck import Recheck, verify_case
from vetrelay.client.say import say
from vetrelay.client.thread import find_entry, read_thread
from vetrelay.errors import SENTENCES, Refusal, VetRelayError
from vetrelay.protocol.manifest import Hints

PURPOSES = ("wound", "skin", "eye")
FROM_INPUT = "-"


@click.command(cls=EndCommand)
@click.argument("case", type=IdText())
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--text", help="What to say; `-` reads it from standard input.")
@click.option("--purpose", type=click.Choice(PURPOSES), help="What the photos show: these are kept larger.")
@click.option("--full-size", is_flag=True, help="Keep photos as large as they are.")
@click.option("--keep-motion", is_flag=True, help="Keep the motion of animated pictures.")
@click.option("--keep-original", is_flag=True, help="Keep the untouched originals, with all that is hidden in them.")
@with_end
async def send(
    end: End,
    case: str,
    files: tuple[Path, ...],
    *,
    text: str | None,
    purpose: str | None,
    full_size: bool,
    keep_motion: bool,
    keep_original: bool,
) -> None:
    """Send a message with files; prints its id. `-` as CASE means the only case.

    A folder is sent as one study: everything in it, packed into one file.

    \b
    Examples:
      vetrelay send 8fK2xQ --text 'Luna scratches her ear.' ear.jpg --purpose skin
      vetrelay send 8fK2xQ --text 'The scan of Monday.' /media/disc/
      fortune | vetrelay send - --text -
    """
    found = find_case(end, case)
    if text == FROM_INPUT:
        if may_ask():
            _tell_by_email(end, recall(end, found))
            note("type the message; Ctrl-D ends it")
        text = sys.stdin.read().rstrip("\n")
    patient = read_thread(end, found).patient if files else None  # so that a record of another animal is noted
    hints = Hints(purpose=purpose, full_size=full_size, keep_motion=keep_motion, patient=patient)
    try:
        promised, receipt = await say(
            end, found, text=text or "", files=files, hints=hints, keep_original=keep_original
        )
    except Refusal as refused:
        if refused.code != "file_not_sent":
            raise
        _tell_unsent(refused.facts.get("files"))
        raise Refusal(refused.code) from None
    finally:
        tell_refusals(end)
    with suppress(VetRelayError):  # the message is safe; this only spares the next command some work
        await follow(end, found)
        await greet_newcomers(end)
    _tell_by_email(end, recall(end, found))
    answer(promised.path.rsplit("/", 1)[1])
    end.journal.report(promised.id)  # last: until the person has the answer, the same words are the same wish
    with_files = f" with {count(len(files), 'file')}" if files else ""
    note(f"safe at the clinic's message server{with_files}, {local(receipt.time)}")


def _tell_by_email(end: End, followed: Followed) -> None:
    """Who gets what is said here by email, and how: whoever writes shall know it."""
    words = composed_words(mail_state(end, followed.case, followed)) if followed.roster.bridging else None
    if words:
        note(words)


def _tell_unsent(unsent: object) -> None:
    for name, reason in unsent.items() if isinstance(unsent, dict) else ():
        note(f"{printable(name)}: {reason_sentence(reason)} [{reason}]")


@click.command(cls=EndCommand)
@click.argument("case", type=IdText())
@click.option("--whole", is_flag=True, help="Letters with all that they repeat of older ones, unfolded.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_end
async def read(end: End, case: str, *, whole: bool, as_json: bool) -> None:
    """Read a case from its beginning. `-` as CASE means the only case.

    \b
    Example:
      vetrelay read 8fK2xQ
    """
    found = find_case(end, case)
    thread = read_thread(end, found, await freshest(end, found))
    if as_json:
        answer_json(thread_json(thread))
    else:
        answer_lines(thread_lines(thread, whole=whole))


@click.command(cls=EndCommand)
@click.argument("case", type=IdText())
@click.argument("envelope", metavar="MESSAGE", type=IdText())
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Folder to write into.")
@click.option("--original", is_flag=True, help="The unsafe originals, as NAME.unsafe, instead of the checked copies.")
@click.option("--previews", is_flag=True, help="With the checked copies also the small pictures made of them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_end
async def save(end: End, case: str, envelope: str, *, out: Path, original: bool, previews: bool, as_json: bool) -> int:
    """Save the files of a message: the checked copies. Nothing is overwritten.

    \b
    Example:
      vetrelay save 8fK2xQ mR3bV0cJ5nq0tXW2yD7hKg --out ~/luna
    """
    if original and previews:
        raise click.UsageError("--previews are of the checked copies; leave out --original")
    found = find_case(end, case)
    entry = find_entry(read_thread(end, found, await freshest(end, found)), envelope)
    if entry.problem:
        raise Refusal(entry.problem)
    if not entry.attachments:
        raise Refusal("no_files")
    saved, missed = await save_attachments(end, entry, out, original=original, previews=previews)
    if as_json:
        answer_json({"saved": [_saved_json(one) for one in saved], "missed": [_missed_json(one) for one in missed]})
    else:
        for one in saved:
            answer(printable(str(one.path)))
    for lost in missed:
        note(f"{printable(lost.name)}: {SENTENCES[lost.code]} [{lost.code}]")
    if missed:
        raise Refusal("not_all_saved")
    return Exit.OK


def _saved_json(one: Saved) -> dict[str, str]:
    return {"path": str(one.path), "role": one.role, "sha256": hex_of(one.sha256)}


def _missed_json(one: NotSaved) -> dict[str, str]:
    return {"name": one.name, "code": one.code}


@click.command(cls=EndCommand)
@click.argument("case", type=IdText())
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@with_end
async def verify(end: End, case: str, *, as_json: bool) -> int:
    """Check a whole case again from scratch: every signature, every link, every seal.

    \b
    Example:
      vetrelay verify 8fK2xQ
    """
    found = find_case(end, case)
    await follow(end, found)
    checked = await verify_case(end, found)
    if as_json:
        answer_json(_recheck_json(checked))
    else:
        answer_lines(_recheck_lines(checked))
    if checked.problems:
        raise Refusal("does_not_hold")
    return Exit.OK


def _recheck_json(checked: Recheck) -> dict[str, object]:
    return {
        "case": checked.case,
        "positions": checked.positions,
        "statements": checked.statements,
        "envelopes": checked.envelopes,
        "opened": checked.opened,
        "not_for_us": checked.not_for_us,
        "head": checked.head,
        "problems": [{"n": n, "code": code} for n, code in checked.problems],
    }


def _recheck_lines(checked: Recheck) -> list[Line]:
    sealed = count(checked.not_for_us, "message is", "messages are")
    lines = [
        Line(text=f"{count(checked.positions, 'position')} in one unbroken chain, signed by the message server"),
        Line(text=f"{count(checked.statements, 'statement')} on who takes part, each allowed where it stands"),
        Line(
            text=f"{checked.opened} of {count(checked.envelopes, 'message')} for us opened and match their signatures"
        ),
        Line(text=f"{sealed} for others, and cannot be opened here", style="quiet"),
        Line(text=f"head {checked.head}", style="quiet"),
    ]
    wrong = [Line(text=f"position {n}: {problem_sentence(code)} [{code}]", style="bad") for n, code in checked.problems]
    return lines + (wrong or [Line(text="everything holds", style="good")])
