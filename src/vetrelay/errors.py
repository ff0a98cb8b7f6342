"""The one error tree: a stable code, and one sentence a person can act on.

A `Refusal` is a rule that said no: whoever asked can mend it. A `Fault` is ours.
The sentences stand in one table, so that docs, the command line, and the relay's
problem documents can never say different things. Neither carries secrets, paths
or library texts; `facts` holds only values that are public in the exchange.
"""

from collections.abc import Mapping

SENTENCES: Mapping[str, str] = {
    # protocol: bytes and signatures
    "bad_json": "This statement is not in the one allowed form; update the software that wrote it.",
    "bad_body": "This statement has a field that is missing, unknown or out of bounds; update the software that wrote it.",
    "bad_base64": "A value is not canonical base64url; update the software that wrote it.",
    "bad_signature": "A signature does not match its content; nothing was taken over, ask the sender to send it again.",
    "bad_key": "A public key is not a valid, full-order key; the device must be set up again.",
    "wrong_type": "A signed statement was offered as something that it is not; nothing was taken over.",
    "too_large": "This is larger than the limit for its kind; send less at once.",
    "newer_version": "This was made by a newer version of VetRelay; update before sending here.",
}


class VetRelayError(Exception):
    """Root of all errors that VetRelay raises on purpose.

    `code` is stable and documented; `facts` are public values (ids, positions, counts).
    """

    def __init__(self, code: str, /, **facts: object) -> None:
        self.code = code
        self.facts = facts
        super().__init__(f"{SENTENCES[code]} [{code}]")

    @property
    def sentence(self) -> str:
        """What happened and what to do, for a person."""
        return SENTENCES[self.code]


class Refusal(VetRelayError):
    """A rule said no; whoever asked can mend it."""


class Fault(VetRelayError):
    """We failed; nothing that was acknowledged is lost, and trying again is safe."""
