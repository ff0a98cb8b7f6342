"""The age header: one spelling, bounded, authenticated; and the shape that a relay demands (N06, N11, N20)."""

import base64
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.errors import Refusal
from vetrelay.protocol.age.header import (
    MAX_HEADER_BYTES,
    MAX_STANZAS,
    check_mac,
    check_sealed_shape,
    header_mac,
    parse_header,
    render_header,
)
from vetrelay.protocol.age.stanza import Stanza, encode_base64, hybrid_encapsulation

FILE_KEY = bytes(range(16))
ENCAPSULATION = bytes(range(256)) * 4 + bytes(64) + bytes([9]) + bytes(31)
HYBRID = Stanza("mlkem768x25519", (encode_base64(ENCAPSULATION).decode(),), bytes(range(32)))
X25519 = Stanza("X25519", (encode_base64(bytes([9] * 32)).decode(),), bytes(32))
SCRYPT = Stanza("scrypt", (encode_base64(bytes(16)).decode(), "18"), bytes(32))
GREASE = Stanza("grease", ("whatever",), bytes(100))
GOOD = render_header([HYBRID, HYBRID], FILE_KEY)
ONE = render_header([GREASE], FILE_KEY)

words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
stanzas = st.builds(Stanza, words, st.lists(words, max_size=4).map(tuple), st.binary(max_size=200))


def code_of(step: Callable[[], object]) -> str:
    """The code of the refusal that `step` ends in."""
    with pytest.raises(Refusal) as caught:
        step()
    return caught.value.code


@given(st.lists(stanzas, min_size=1, max_size=8), st.binary(max_size=100))
def test_what_is_rendered_parses_back_whatever_follows_it(wanted: list[Stanza], payload: bytes) -> None:
    """Stanzas, size and MAC come back from a buffer that only begins with the header."""
    raw = render_header(wanted, FILE_KEY)
    header = parse_header(raw + payload)

    assert tuple(wanted) == header.stanzas
    assert len(raw) == header.size_bytes
    assert header_mac(raw[: header.authenticated_bytes], FILE_KEY) == header.mac
    assert raw[: header.authenticated_bytes].endswith(b"\n---")


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_one_changed_byte_never_passes_the_mac(place: int, difference: int) -> None:
    """Any flip is caught: as another spelling, or by the MAC over the received bytes."""
    changed = bytearray(GOOD)
    changed[place] ^= difference

    assert code_of(lambda: check_mac(bytes(changed), FILE_KEY)) in ("age_header", "age_mac")


@given(st.integers(0, len(GOOD) - 1))
def test_a_cut_header_is_no_header(length: int) -> None:
    """There is no prefix that passes for the whole."""
    assert code_of(lambda: parse_header(GOOD[:length])) == "age_header"


def test_the_mac_belongs_to_one_file_key() -> None:
    """Another file key fails, the right one passes."""
    check_mac(GOOD, FILE_KEY)

    assert code_of(lambda: check_mac(GOOD, bytes(16))) == "age_mac"


SPELLINGS = {
    "crlf": ONE.replace(b"\n", b"\r\n"),
    "crlf in one line": ONE.replace(b"grease whatever\n", b"grease whatever\r\n"),
    "another version": ONE.replace(b"/v1", b"/v2"),
    "no version": ONE[22:],
    "byte order mark": b"\xef\xbb\xbf" + ONE,
    "armored": b"-----BEGIN AGE ENCRYPTED FILE-----\n" + base64.b64encode(ONE)[:64] + b"\n",
    "two spaces": ONE.replace(b"grease whatever", b"grease  whatever"),
    "trailing space": ONE.replace(b"whatever\n", b"whatever \n"),
    "tab": ONE.replace(b"grease whatever", b"grease\twhatever"),
    "no kind": ONE.replace(b"-> grease whatever", b"-> "),
    "no space": ONE.replace(b"-> grease", b"->grease"),
    "not ASCII": ONE.replace(b"whatever", b"what\xe9ver"),
    "control letter": ONE.replace(b"whatever", b"what\x00ver"),
    "padded body": render_header([Stanza("a", (), b"a")], FILE_KEY).replace(b"YQ\n", b"YQ==\n"),
    "non-canonical body": render_header([Stanza("a", (), b"a")], FILE_KEY).replace(b"YQ\n", b"YR\n"),
    "no short last line": render_header([Stanza("a", (), bytes(48))], FILE_KEY).replace(b"A\n\n---", b"A\n---"),
    "long body line": render_header([Stanza("a", (), bytes(48))], FILE_KEY).replace(b"A\n\n---", b"AAAA\n\n---"),
    "no stanza": render_header([GREASE], FILE_KEY)[:22] + ONE[ONE.index(b"---") :],
    "no space before the MAC": ONE.replace(b"--- ", b"---"),
    "two spaces before the MAC": ONE.replace(b"--- ", b"---  "),
    "space after the MAC": ONE[:-1] + b" \n",
    "short MAC": ONE[:-5] + b"\n",
    "long MAC": ONE[:-1] + b"AAAA\n",
    "MAC at the end of the buffer": ONE[:-1],
    "padded MAC": ONE[:-1] + b"=\n",
    "empty": b"",
}


@pytest.mark.parametrize("raw", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_another_spelling_is_refused(raw: bytes) -> None:
    """N11: CRLF, armor, other base64, other spacing: one code, for parser, MAC and shape alike."""
    assert code_of(lambda: parse_header(raw)) == "age_header"
    assert code_of(lambda: check_mac(raw, FILE_KEY)) == "age_header"
    assert code_of(lambda: check_sealed_shape(raw, 1)) == "age_header"


VERSION = b"age-encryption.org/v1\n"
FLOODS = {
    "10,000 stanzas": VERSION + b"-> X25519 a\n\n" * 10_000,
    "10,000 hybrid stanzas": GOOD[: len(VERSION)] + GOOD[len(VERSION) : GOOD.index(b"\n---")] * 5_000,
    "a line of 1 MB": VERSION + b"-> X25519 " + b"A" * 1_000_000 + b"\n\n",
    "a million arguments": VERSION + b"-> " + b"a " * 1_000_000 + b"a\n\n",
    "a body of 16 MB": VERSION + b"-> X25519\n" + (b"A" * 64 + b"\n") * 250_000,
    "a body line of 16 MB": VERSION + b"-> X25519\n" + b"A" * 16_000_000,
    "a MAC line of 16 MB": ONE[: ONE.index(b"---")] + b"--- " + b"A" * 16_000_000,
    "no line end in 16 MB": b"a" * 16_000_000,
    "a version line and nothing": VERSION + bytes(16_000_000),
}


@pytest.mark.parametrize("raw", FLOODS.values(), ids=FLOODS.keys())
def test_a_flood_is_refused_in_constant_memory(raw: bytes) -> None:
    """N11: whatever a stranger sends, less than 2 MiB are spent on it."""
    tracemalloc.start()
    try:
        code = code_of(lambda: check_sealed_shape(raw, 1))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert code == "age_header"
    assert peak_bytes < 2 * 1024 * 1024


def test_the_limits_are_reached_exactly() -> None:
    """64 stanzas and a header of up to 256 KiB are good, one more is not."""
    parse_header(render_header([GREASE] * MAX_STANZAS, FILE_KEY))
    header_bytes = len(render_header([Stanza("a", (), b"")], FILE_KEY))
    rows, rest = divmod(MAX_HEADER_BYTES - header_bytes, 65)
    fullest = Stanza("a" + "a" * rest, (), bytes(48 * rows))

    assert MAX_HEADER_BYTES == len(render_header([fullest], FILE_KEY))
    assert code_of(lambda: render_header([GREASE] * (MAX_STANZAS + 1), FILE_KEY)) == "age_header"
    assert code_of(lambda: render_header([Stanza("a" + fullest.kind, (), fullest.body)], FILE_KEY)) == "age_header"


@pytest.mark.parametrize(
    "stanza", [Stanza("", (), b""), Stanza("a b", (), b""), Stanza("a", ("",), b""), Stanza("a", ("\n",), b"")]
)
def test_what_no_reader_could_read_is_never_written(stanza: Stanza) -> None:
    """An argument that would break the line is refused by the writer too."""
    assert code_of(lambda: render_header([stanza], FILE_KEY)) == "age_header"


def test_no_recipient_at_all_is_never_written() -> None:
    """N11: a header without a stanza can neither be rendered nor pass."""
    assert code_of(lambda: render_header([], FILE_KEY)) == "age_header"
    assert code_of(lambda: check_sealed_shape(GOOD, 0)) == "sealed_shape"


def test_a_header_with_one_hybrid_stanza_per_recipient_has_the_shape() -> None:
    """What a sealer makes, a relay takes."""
    check_sealed_shape(GOOD, 2)


SHAPES = {
    "N06 a stanza more": (render_header([HYBRID] * 3, FILE_KEY), "sealed_shape"),
    "N06 a stanza fewer": (render_header([HYBRID], FILE_KEY), "sealed_shape"),
    "N11 mixed suites": (render_header([HYBRID, X25519], FILE_KEY), "sealed_shape"),
    "N11 scrypt": (render_header([HYBRID, SCRYPT], FILE_KEY), "sealed_shape"),
    "N11 scrypt only": (render_header([SCRYPT, SCRYPT], FILE_KEY), "sealed_shape"),
    "N11 unknown stanza only": (render_header([GREASE, GREASE], FILE_KEY), "sealed_shape"),
    "N11 grease among them": (render_header([HYBRID, GREASE], FILE_KEY), "sealed_shape"),
    "N20 the older suite": (render_header([X25519, X25519], FILE_KEY), "sealed_shape"),
    "N20 hybrid by another case": (
        render_header([HYBRID, Stanza("MLKEM768X25519", HYBRID.args, HYBRID.body)], FILE_KEY),
        "sealed_shape",
    ),
    "bytes after the header": (GOOD + b"\n", "sealed_shape"),
    "a payload after the header": (GOOD + bytes(64), "sealed_shape"),
    "a short encapsulation": (
        render_header([HYBRID, Stanza(HYBRID.kind, (HYBRID.args[0][:-4],), HYBRID.body)], FILE_KEY),
        "age_header",
    ),
    "a long file key": (render_header([HYBRID, Stanza(HYBRID.kind, HYBRID.args, bytes(48))], FILE_KEY), "age_header"),
    "a second argument": (
        render_header([HYBRID, Stanza(HYBRID.kind, (*HYBRID.args, "a"), HYBRID.body)], FILE_KEY),
        "age_header",
    ),
    "a non-canonical encapsulation": (
        render_header([HYBRID, Stanza(HYBRID.kind, (HYBRID.args[0][:-1] + "B",), HYBRID.body)], FILE_KEY),
        "age_header",
    ),
    "a low-order encapsulation": (
        render_header([HYBRID, Stanza(HYBRID.kind, (encode_base64(bytes(1120)).decode(),), bytes(32))], FILE_KEY),
        "age_header",
    ),
}


@pytest.mark.parametrize(("raw", "code"), SHAPES.values(), ids=SHAPES.keys())
def test_a_relay_refuses_another_shape(raw: bytes, code: str) -> None:
    """N06, N11, N20: exactly the recipients, exactly the hybrid, exactly the header."""
    assert code == code_of(lambda: check_sealed_shape(raw, 2))


PLACES = st.integers(0, len(GOOD) - 1) | st.integers(1_520, 1_590) | st.integers(len(GOOD) - 60, len(GOOD) - 1)


@given(
    PLACES, st.sampled_from(b"AQgwEB09+/-_=> \n\r."), st.sampled_from(["change", "insert", "remove"]), st.integers(1, 3)
)
def test_a_look_at_the_layout_says_nothing_but_what_the_parser_says(
    at: int, byte: int, how: str, recipients: int
) -> None:
    """The quick check of a sealed header takes no header that the slow one refuses, wherever a byte differs."""
    changed = GOOD[:at] + (b"" if how == "remove" else bytes([byte])) + GOOD[at + (how != "insert") :]
    for raw in (GOOD, changed):
        try:
            check_sealed_shape(raw, recipients)
        except Refusal:
            continue
        header = parse_header(raw)
        assert (len(raw), recipients) == (header.size_bytes, len(header.stanzas))
        for stanza in header.stanzas:
            hybrid_encapsulation(stanza)


@pytest.mark.parametrize("point", [0, 1, 2**255 - 20, 2**255 - 19, 2**255 - 18, 2**255 + 1])
def test_a_low_order_point_is_refused_by_the_layout_alone_too(point: int) -> None:
    """An encapsulation whose classical half everybody can open is no encapsulation."""
    weak = ENCAPSULATION[:-32] + point.to_bytes(32, "little")
    stanza = Stanza("mlkem768x25519", (encode_base64(weak).decode(),), bytes(32))
    assert "age_header" == code_of(lambda: check_sealed_shape(render_header([stanza], FILE_KEY), 1))
