"""Open a case: its first statement, after the chains it rests on (protocol.md section 5)."""

from vetrelay.errors import Refusal
from vetrelay.protocol.case import CaseOpen, NewerInCase, parse_case_statement
from vetrelay.protocol.ids import PartyId
from vetrelay.protocol.log import empty_log
from vetrelay.protocol.roster import empty_roster
from vetrelay.protocol.signature import Signed
from vetrelay.relay.append import Accepted, append_statements
from vetrelay.relay.chains import opening
from vetrelay.relay.ports import AskingDevice, RelayServices, Store
from vetrelay.relay.tables import Standing


async def open_case(relay: RelayServices, asker: AskingDevice, untrusted: Signed) -> Accepted:
    """Begin a case; its id is the entry id of this statement. A repeat gets the stored receipt.

    Raises Refusal `not_a_device` when the asker is not who opens, `wrong_relay`, or what the statement breaks.
    """
    statement = parse_case_statement(untrusted.content())
    if isinstance(statement, NewerInCase):
        raise Refusal("newer_version")
    if not isinstance(statement, CaseOpen):
        raise Refusal("bad_body")
    if (statement.by.party, statement.by.device) != (asker.party, asker.device):
        raise Refusal("not_a_device")
    return await relay.writer.run(lambda store: _opened(relay, store, untrusted, by=asker.party))


def _opened(relay: RelayServices, store: Store, signed: Signed, *, by: PartyId) -> Accepted:
    case = signed.entry_id()
    receipt = store.cases.receipt(case, case)
    if receipt is not None:
        return Accepted(receipt=receipt, is_new=False)
    standing = Standing(
        case=case,
        tail=empty_log(case),
        epoch=0,
        backed_up_n=0,
        used_bytes=0,
        past=((0, empty_roster(relay.relay, case)),),
    )
    steps = opening(store, standing, signed, by=by)
    return Accepted(receipt=append_statements(relay, store, standing, steps), is_new=True)
