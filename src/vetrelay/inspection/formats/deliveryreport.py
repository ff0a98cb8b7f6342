"""What a mail server tells of a letter of ours: a delivery report (RFC 3464), or an old kind of bounce by its words."""

import logging
import re
from collections.abc import Iterator
from email.parser import BytesParser

from flufl.bounce import all_failures

from vetrelay.inspection.formats import lettertext
from vetrelay.inspection.formats.letterfields import Fields, fields_of, sender
from vetrelay.inspection.formats.letterparts import Part
from vetrelay.inspection.formats.letterwords import Reader
from vetrelay.inspection.letterread import MAX_ADDRESS_CHARS, Action, DeliveryReport
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.words import Unfit

_STATUSES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_MOST_BLOCKS = 200
# The library for old bounces parses a letter with the standard library's parser, which is slow on what is made for it;
# what happened stands at the top, before the letter that came back.
_LOOKED_AT_BYTES = 64 * 1024
_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_REPLY_CODE = re.compile(r"\b([245][0-9]{2})\b")
_WORD = re.compile(r"[a-z0-9-]{1,16}")
_PRINTABLE = re.compile(r"[!-~]{1,100}")
_SERVERS = re.compile(r"(?i)mailer[-_ ]?daemon|postmaster|mdaemon|mail[-_ ]?delivery|mail[-_ ]?system|double-bounce")
_RETURNED = re.compile(r"(?i)undeliver|delivery (?:status|fail|has failed|notif|problem)|return(?:ed|ing) (?:mail|message|to sender)"
    r"|failure notice|unzustellbar|non remis|mail failure|could not be delivered")  # fmt: skip

_SAMPLE = (
    b"From: MAILER-DAEMON@example.org\r\nSubject: failure notice\r\n\r\nHi. This is the qmail-send program at "
    b"example.org.\r\n\r\n<gone@example.org>:\r\nNo such user. (#5.1.1)\r\n"
)


def prepare() -> None:
    """Walks one old bounce, so that nothing of it is first met in the jail."""
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)
    _old_failures(_SAMPLE)


def report_of(content: Content, whole: Part, reader: Reader) -> DeliveryReport | None:
    """The report that a letter is; None for every letter that is none."""
    is_report = whole.media_type == "multipart/report"
    if is_report or _is_from_a_server(whole.fields):
        for part in _leaves(whole):
            if part.media_type in _STATUSES:
                return _told(reader.body(part)) or _guessed(content)
    if is_report and whole.fields.parameter("report-type").lower() not in {"", "delivery-status"}:
        return None
    return _guessed(content) if is_report or _is_from_a_server(whole.fields) else None


def _is_from_a_server(fields: Fields) -> bool:
    if fields.get("X-Failed-Recipients") or fields.get("Return-Path").strip() == "<>":
        return True
    subject = fields.get("Subject")[: lettertext.MAX_FIELD_CHARS]
    return any(_SERVERS.search(said) for said in sender(fields)) or _RETURNED.search(subject) is not None


def _leaves(part: Part) -> Iterator[Part]:
    if not part.within:
        yield part
    for inner in part.within:
        yield from _leaves(inner)


def _told(body: bytes) -> DeliveryReport | None:
    """Of what is told of each recipient, the worst; None where it is not told so that a program can read it."""
    try:
        whole, *recipients = [*_blocks(body)] or [Fields()]
    except Unfit:  # fields without end
        return None
    envelope_id = whole.get("Original-Envelope-Id").strip()
    reports = [one for block in (recipients or [whole]) if (one := _of_recipient(block, envelope_id)) is not None]
    return min(reports, key=lambda one: list(Action).index(one.action), default=None)


def _blocks(body: bytes) -> Iterator[Fields]:
    position = 0
    for _ in range(_MOST_BLOCKS):
        fields, after = fields_of(body, position, len(body))
        if len(fields):
            yield fields
        if after == position:  # neither a field nor an empty line
            after = body.find(b"\n", position) + 1
        if not position < after < len(body):
            return
        position = after


def _of_recipient(block: Fields, envelope_id: str) -> DeliveryReport | None:
    said = block.get("Action").strip().lower()
    action = next((one for one in Action if said.startswith(one[:4])), None)
    if said.startswith("error"):  # OpenSMTPD's word
        action = Action.FAILED
    if action is None:
        return None
    status = _STATUS.search(block.get("Status"))
    kind, _, diagnostic = block.get("Diagnostic-Code").partition(";")
    code = _REPLY_CODE.search(diagnostic[:200])
    word = _WORD.fullmatch(kind.strip().lower())
    recipient = block.get("Original-Recipient") or block.get("Final-Recipient")
    return DeliveryReport(
        action=action,
        status=status[0] if status else "",
        diagnostic_type=word[0] if word else "",
        reply_code=int(code[1]) if code else 0,
        envelope_id=envelope_id if _PRINTABLE.fullmatch(envelope_id) else "",
        recipient=_address(recipient.rpartition(";")[2]),
    )


def _address(said: str) -> str:
    return lettertext.field_text(said).strip("<> ")[:MAX_ADDRESS_CHARS]


def _guessed(content: Content) -> DeliveryReport | None:
    """What the words of an old bounce say, for the many servers whose words are known."""
    temporary, permanent = _old_failures(bytes(content[:_LOOKED_AT_BYTES]))
    for action, recipients in ((Action.FAILED, permanent), (Action.DELAYED, temporary)):
        if recipients:
            first = min(recipients).decode("utf-8", "replace")
            return DeliveryReport(action=action, recipient=_address(first), guessed=True)
    return None


def _old_failures(raw: bytes) -> tuple[frozenset[bytes], frozenset[bytes]]:
    try:
        temporary, permanent = all_failures(BytesParser().parsebytes(raw))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - the library raises anything at a stranger's letter
        return frozenset(), frozenset()
    return frozenset(temporary), frozenset(permanent)
