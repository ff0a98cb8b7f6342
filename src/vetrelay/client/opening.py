"""Opening what is in the journal: manifests, headers, file keys. Needs no relay."""

from vetrelay.client.end import End
from vetrelay.client.partykeys import party_identities
from vetrelay.errors import Refusal
from vetrelay.protocol.envelope import Envelope, ObjectRef
from vetrelay.protocol.ids import unb64
from vetrelay.protocol.manifest import OpenedManifest, Slip, open_manifest, open_slip
from vetrelay.protocol.seal import Sealed
from vetrelay.protocol.unseal import open_file_key, open_object


def _plaintext(end: End, ref: ObjectRef) -> bytes:
    kept = end.journal.object_of(ref.h0)
    if kept is None or kept[1] is None:
        raise Refusal("cannot_open")
    return open_object(
        Sealed(header=kept[0], payload=kept[1]),
        party_identities(end),
        original_header=kept[0],
        h0=unb64(ref.h0, 32),
        p=unb64(ref.p, 32),
    )


def manifest_of(end: End, envelope: Envelope) -> OpenedManifest:
    """What an envelope says. Raises Refusal `cannot_open` (N08), `commitment`, `binding_differs`, `verdict_differs`."""
    return open_manifest(_plaintext(end, envelope.of_role("manifest")[0]), envelope)


def slip_of(end: End, envelope: Envelope) -> Slip:
    """An envelope's slip, for the intake. Raises as `manifest_of` does."""
    (ref,) = envelope.of_role("slip")
    return open_slip(_plaintext(end, ref), envelope)


def file_key_of(end: End, ref: ObjectRef) -> bytes:
    """The file key (16 bytes) of an object whose header came with its envelope."""
    kept = end.journal.object_of(ref.h0)
    if kept is None:
        raise Refusal("cannot_open")
    header = kept[0]
    return open_file_key(header, party_identities(end), original_header=header, h0=unb64(ref.h0, 32))
