"""What waited in the outbox and was refused for good: the person is told what and why, and gets their words back."""

import msgspec

from vetrelay.cli.terminal import note, printable, tell_error
from vetrelay.client.drafts import Draft
from vetrelay.client.end import End
from vetrelay.client.notes import open_note
from vetrelay.client.promises import Outgoing
from vetrelay.errors import Refusal
from vetrelay.protocol.finding import CheckedFiles
from vetrelay.protocol.manifest import Text

SHOWN_CHARACTERS = 2000


def tell_refusals(end: End) -> None:
    """Tells each refusal that nobody has been told of yet, once."""
    for promised in end.journal.refusals():
        note(f"something from earlier, for case {promised.case}, was refused and is not sent:{_words(end, promised)}")
        tell_error(Refusal(promised.refused or ""))
        end.journal.report(promised.id)


def _words(end: End, promised: Outgoing) -> str:
    """The person's own words, so that they are not lost."""
    if promised.method != "PUT" or promised.draft is None:
        return f" {promised.intent.split(':', 1)[0]}"
    draft = msgspec.json.decode(open_note(end, promised.draft), type=Draft)
    text = draft.content.text if isinstance(draft.content, Text | CheckedFiles) else draft.class_
    files = "".join(f" [{printable(made.name)}]" for made in draft.objects)
    return f"\n  {printable(text[:SHOWN_CHARACTERS])}{files}"
