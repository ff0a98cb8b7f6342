"""A party between being made and being known to its relay: kept in the home folder, so that a kill can be repeated.

The file holds the first statement and the sealed box of the first key: nothing secret. It is written before the keyring
(which makes the identity exist) and both before anything is sent; it goes when the relay has taken the party in.
"""

from pathlib import Path
from typing import Final

import msgspec

from vetrelay.client.keyring import Keyring, write_durably
from vetrelay.client.parties import NewParty
from vetrelay.errors import Fault
from vetrelay.protocol.signature import Signed

FILE_NAME: Final = "enrolment.json"


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    chain: tuple[Signed, ...]
    boxes: dict[str, str]


def keep_enrolment(home: Path, party: NewParty) -> None:
    """Writes what the relay will be told; durable when it returns."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_durably(home / FILE_NAME, msgspec.json.encode(_Kept(chain=party.chain, boxes=party.boxes)))


def kept_enrolment(home: Path, keyring: Keyring) -> NewParty | None:
    """The party of this keyring as it was made, if the relay may not know it yet. Raises Fault `keyring_damaged`."""
    try:
        kept = msgspec.json.decode((home / FILE_NAME).read_bytes(), type=_Kept)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise Fault("keyring_damaged") from wrong
    # Another party's: its keyring was never written, so it never existed.
    if kept.chain[0].entry_id() != keyring.party:
        return None
    return NewParty(keyring=keyring, chain=kept.chain, boxes=kept.boxes)


def drop_enrolment(home: Path) -> None:
    """The relay has taken the party in."""
    (home / FILE_NAME).unlink(missing_ok=True)
