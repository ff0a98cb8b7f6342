"""What is told of a case's email, for a person and as JSON: letters, what waits, how far an answer went."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec import structs

from vetrelay.cli.terminal import Line, printable
from vetrelay.cli.words import count, local, utc
from vetrelay.client.thread import EntryView
from vetrelay.protocol.bymail import Delivery, Letter, LetterWaiting, MailEvent

STATES: Final = {
    "emailed": "emailed",
    "delivered": "arrived",
    "not_yet": "not yet at the clinic",
    "delayed": "delayed: still trying",
    "failed": "failed: call the clinic",
    "downgraded": "sent as a notice with a link instead",
}
EVENTS: Final = {
    "claim_refused": "a letter that claimed to be from {about} was refused: it was not theirs",
    "case_closed": "a letter from {about} was turned away, because this case is closed",
    "unsubscribed": "{about} wants no more notices by email",
    "subscribed": "{about} wants notices by email again",
    "denied": "a letter from {about} was not taken",
    "key_suggested": "{about} sent a key for sealed email; it counts once you have approved it",
    "broken": "a letter could not be opened, and is kept: ask who runs the email bridge",
    "filed": "the letter was filed into its case",
}
SIGNATURES: Final = {
    "good": "signed, and the signature is of the approved key",
    "unknown": "signed by a key that nobody has approved",
    "bad": "its signature is WRONG: it was changed on its way, or is not theirs",
}


def writer(letter: Letter) -> str:
    """Who a letter is from, as far as that is known."""
    name, address = printable(letter.name), printable(letter.address)
    who = f"{name} <{address}>" if name and name != address else address or "somebody"
    return who if letter.known or letter.way == "link" else f"{who} (not proved)"


def folded(text: str, folds: Sequence[tuple[int, int]]) -> str:
    """A letter's text, each range that repeats an older letter (or is a signature) folded to one line that says how long it is."""
    parts, at = [], 0
    for begin, end in folds:
        lines = text[begin:end].count("\n") + (not text[begin:end].endswith("\n"))
        parts += [text[at:begin], f"[{count(lines, 'line')} folded; read --whole shows them]\n"]
        at = end
    return "".join((*parts, text[at:]))


def mail_json(entry: EntryView) -> dict[str, Any]:
    """The parts of an entry that have to do with email; nothing where there are none."""
    told: dict[str, Any] = {}
    if entry.letter is not None:
        told["letter"] = structs.asdict(entry.letter)
        del told["letter"]["text"]
    if entry.mail is not None:
        told["mail"] = {"kind": entry.mail.__struct_config__.tag, **structs.asdict(entry.mail)}
    if entry.deliveries:
        told["deliveries"] = [delivery_json(delivery) for delivery in entry.deliveries]
    return told


def delivery_json(delivery: Delivery) -> dict[str, Any]:
    """How far something went by email to one address."""
    return {
        "address": delivery.address,
        "state": delivery.state,
        "mode": delivery.mode,
        "at": utc(delivery.at),
        "reason": delivery.reason,
    }


def mail_lines(entry: EntryView) -> Iterator[Line]:
    """What there is to say of an entry's email, below what it says itself."""
    if entry.letter is not None:
        yield from _letter_lines(entry.letter)
    match entry.mail:
        case LetterWaiting() as waiting:
            yield Line(text=waiting_words(waiting), style="warn", indent=2)
        case MailEvent() as event:
            yield Line(text=EVENTS[event.what].format(about=printable(event.about)), style="quiet", indent=2)
        case None:
            pass
    for delivery in entry.deliveries:
        words = f"{STATES[delivery.state]} {local(delivery.at)}, {printable(delivery.address)}"
        yield Line(text=words, style="bad" if delivery.state == "failed" else "quiet", indent=2)


def _letter_lines(letter: Letter) -> Iterator[Line]:
    if letter.way == "link":
        yield Line(
            text="came by the upload link of this address: whoever has the link can send by it", style="quiet", indent=2
        )
    if letter.subject:
        yield Line(text=f"subject: {printable(letter.subject)}", style="quiet", indent=2)
    if letter.automatic:
        yield Line(text="an automatic answer; nobody waits for yours", style="quiet", indent=2)
    if letter.signature in SIGNATURES:
        yield Line(text=SIGNATURES[letter.signature], style="bad" if letter.signature == "bad" else "quiet", indent=2)
    if letter.unread:
        yield Line(text="it could not be opened safely; the whole letter is among the files", style="warn", indent=2)


def waiting_words(waiting: LetterWaiting) -> str:
    """A waiting letter in one line."""
    sender = printable(waiting.sender) or "somebody"
    proved = "" if waiting.known else " (not proved)"
    what = "waits to be filed" if waiting.front_door else "waits for you to take or deny it"
    return f"a letter from {sender}{proved} {what}: {printable(waiting.subject)} [{waiting.letter}]"
