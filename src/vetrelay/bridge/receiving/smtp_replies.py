"""What the session answers by itself: each with its enhanced code (RFC 3463), as RFC 2034 wants of all but greetings."""

import re
from typing import Final

from vetrelay.bridge.ports import MiB, Reply

SENDER_OK: Final = Reply(code=250, enhanced="2.1.0", text="Sender ok")
RECIPIENT_OK: Final = Reply(code=250, enhanced="2.1.5", text="Recipient ok")
OK: Final = Reply(code=250, enhanced="2.0.0", text="Ok")
BYE: Final = Reply(code=221, enhanced="2.0.0", text="Bye", close=True)
READY_FOR_TLS: Final = Reply(code=220, enhanced="2.0.0", text="Ready to start TLS")
BAD_SYNTAX: Final = Reply(code=501, enhanced="5.5.4", text="That is not how this command is written")
BAD_SENDER: Final = Reply(code=553, enhanced="5.1.7", text="This is no sender address")
BAD_RECIPIENT: Final = Reply(code=553, enhanced="5.1.3", text="This is no recipient address")
HELLO_FIRST: Final = Reply(code=503, enhanced="5.5.1", text="Say EHLO first")
NESTED: Final = Reply(code=503, enhanced="5.5.1", text="One sender at a time")
SENDER_FIRST: Final = Reply(code=503, enhanced="5.5.1", text="Say MAIL first")
RECIPIENT_FIRST: Final = Reply(code=554, enhanced="5.5.1", text="No valid recipients")
NOT_HERE: Final = Reply(code=502, enhanced="5.5.1", text="This command is not available")
TLS_ALREADY: Final = Reply(code=503, enhanced="5.5.1", text="This session is encrypted already")
NO_TLS: Final = Reply(code=502, enhanced="5.5.1", text="TLS is not available")
TLS_FIRST: Final = Reply(
    code=530, enhanced="5.7.0", text="Say STARTTLS first: letters from this domain are taken encrypted only"
)
TOO_EARLY: Final = Reply(code=421, enhanced="4.5.0", text="Nothing may follow STARTTLS before its answer", close=True)
BARE: Final = Reply(code=550, enhanced="5.6.0", text="Line feeds or carriage returns that are not CRLF: refused")
OVERLONG: Final = Reply(code=550, enhanced="5.6.0", text="A line of this letter is longer than 65536 bytes")
ENDLESS: Final = Reply(code=421, enhanced="4.3.4", text="Far more than this server takes, goodbye", close=True)
SILENT: Final = Reply(code=421, enhanced="4.4.2", text="Nothing came for too long, goodbye", close=True)
LASTED: Final = Reply(code=421, enhanced="4.4.2", text="This session has lasted too long, connect again", close=True)
CLOSING: Final = Reply(code=421, enhanced="4.3.2", text="This server is stopping, try again in a moment", close=True)
NO_ROOM: Final = Reply(code=452, enhanced="4.3.1", text="No room for letters just now, try again later")

# What aiosmtpd's command loop says by itself, and what we say in its place.
_BUILT_IN: Final = {
    "500 Command line too long": Reply(code=500, enhanced="5.5.2", text="Command line too long"),
    "500 Error: bad syntax": Reply(code=500, enhanced="5.5.2", text="That is no command"),
    "502 5.5.1 Too many unrecognized commands, goodbye.": Reply(
        code=421, enhanced="4.7.0", text="Too many unknown commands, goodbye", close=True
    ),
}
_UNKNOWN_COMMAND: Final = Reply(code=500, enhanced="5.5.2", text="This command is unknown")
_FAILED: Final = Reply(code=451, enhanced="4.3.0", text="Temporary failure, try later")
_CODED: Final = re.compile(r"[245][0-9]{2} [245]\.[0-9]{1,3}\.[0-9]{1,3} [^\r\n]*\Z")


def too_large(letter_bytes: int, web_url: str) -> Reply:
    """That a letter is over the limit; its text reaches the person who wrote it, so it says where large files go."""
    text = f"Larger than {letter_bytes / MiB:g} MiB; upload large files at {web_url.rstrip('/')}/u"
    return Reply(code=552, enhanced="5.3.4", text=text)


def failed(incident: str) -> Reply:
    """That something of ours went wrong. `incident` is what our log calls it; nothing else of it is told."""
    return Reply(code=451, enhanced="4.3.0", text=f"Temporary failure, try later ({incident})")


def in_our_words(status: str) -> str:
    """A reply as it goes out: ours as it is, and for one of aiosmtpd's own the coded one that stands for it.

    One that is neither is never sent, because its text might quote an exception: the peer is told to try again.
    """
    if status in _BUILT_IN:
        return str(_BUILT_IN[status])
    if _CODED.match(status) or status.startswith(("220 ", "354 ")):
        return status
    return str(_UNKNOWN_COMMAND if status.startswith("500 Error: command ") else _FAILED)
