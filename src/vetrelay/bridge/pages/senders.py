"""Whose files they are that come by a link, and the row that one of them becomes."""

from dataclasses import dataclass
from typing import Final

from vetrelay.bridge.ports import Arrival, ArrivalState, Peer
from vetrelay.bridge.store.addresses import Correspondence

NUMBER_SIGNS: Final = 8
_BROWSER: Final = Peer(address="", helo="", tls=False)  # who stood before us was the proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Whose files these are: by a link of ours, or (`waits`) by no more than the case's address."""

    correspondence: Correspondence
    waits: bool


def number_of(arrival: str) -> str:
    """What a person is told, and staff find an arrival by: the beginning of its id."""
    return arrival[:NUMBER_SIGNS].upper()


def arrival_of(sender: Sender, id_: str, *, name: str, spool: str, size_bytes: int, now_ms: int) -> Arrival:
    """The row of a file that is whole in the spool."""
    return Arrival(
        id=id_,
        spool=spool,
        kind="upload",
        state=ArrivalState.WAITING if sender.waits else ArrivalState.RECEIVED,
        class_="person",
        case=sender.correspondence.case,
        token=sender.correspondence.token,
        received_ms=now_ms,
        size_bytes=size_bytes,
        peer=_BROWSER,
        mail_from=sender.correspondence.address,
        authenticated=None,
        name=name,
    )
