"""What was promised earlier goes first; and if it was refused for good, the person is told what and why."""

import msgspec

from vetrelay.cli.terminal import note, printable, tell_error
from vetrelay.client.drafts import Draft
from vetrelay.client.end import End
from vetrelay.client.notes import open_note
from vetrelay.client.outbox import deliver_all
from vetrelay.client.promises import Outgoing
from vetrelay.errors import Fault
from vetrelay.protocol.manifest import Text

SHOWN_CHARACTERS = 200


async def bring_up_to_date(end: End) -> None:
    """Delivers what waits in the outbox, as far as the message server can be reached."""
    try:
        refusals = await deliver_all(end)
    except Fault:
        return  # it stands, and is tried again with the next command
    for promised, refusal in refusals:
        note(f"something from earlier, for case {promised.case}, was refused and is not sent:{_words(end, promised)}")
        tell_error(refusal)


def _words(end: End, promised: Outgoing) -> str:
    """The person's own words, so that they are not lost."""
    if promised.draft is None:
        return f" {promised.intent.split(':', 1)[0]}"
    draft = msgspec.json.decode(open_note(end, promised.draft), type=Draft)
    text = draft.content.text if isinstance(draft.content, Text) else draft.class_
    files = "".join(f" [{printable(made.name)}]" for made in draft.objects)
    return f"\n  {printable(text[:SHOWN_CHARACTERS])}{files}"
