"""A whole age file, of any kind that stock age writes, opened by any identity we can read.

For files that come from outside and for the vectors; what VetRelay itself stores is
opened by `protocol.unseal`, which also holds the key commitment.
"""

from collections.abc import Iterable, Iterator

from vetrelay.protocol.age.header import check_mac, parse_header
from vetrelay.protocol.age.identities import Identity, unwrap
from vetrelay.protocol.age.stream import open_stream


def open_file(age_file: bytes, identities: Iterable[Identity]) -> Iterator[bytes]:
    """The plaintext of a binary age file, chunk by authenticated chunk; armor comes off by `read_armor`.

    Whole only when the iterator has ended without raising. Raises Refusal with
    "age_header", "age_no_match", "age_mac" or "age_payload".
    """
    header = parse_header(age_file)
    file_key = unwrap(header.stanzas, identities)
    check_mac(age_file[: header.size_bytes], file_key)
    yield from open_stream(file_key, [age_file[header.size_bytes :]])
