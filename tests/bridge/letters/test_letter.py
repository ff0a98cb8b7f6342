"""Letters that go out: a notice tells nothing (row 26), a whole message tells everything, and each header is as it must be."""

import email
import email.policy
import re
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest

from tests.bridge.outgoing import ABOUT, CASE_ADDRESS, DATE_MS, LINKS, PDF, TEXT, TO, full_letter, posting
from vetrelay.bridge.letters.letter import (
    About,
    Author,
    Filed,
    Links,
    Posting,
    compose_confirmation,
    compose_full,
    compose_locked,
    compose_notice,
    compose_waiting,
    short_name,
)
from vetrelay.bridge.letters.lettermime import PLAIN_BYTES, SEALED_BYTES, Part, fits, folded, one_line

CANARIES = (
    # animals
    "Canarina", "Luna", "Bello", "Rocky", "Minka", "Tasso", "Fipsi", "Nala", "Simba", "Kira",
    # owners
    "Hollergruber", "Winterscheidt", "Okonkwo", "Ferreira", "Lindqvist", "Papadakis", "Nakamura", "Sobczak", "Vandermeer",
    "Ashcroft",
    # practices
    "Tierklinik-Nord", "Pfotenpraxis", "Dogwood-Veterinary", "Hufschlag-Klinik", "Vetcanary",
    # drugs
    "Meloxicam", "Carprofen", "Furosemide", "Pimobendan", "Prednisolone", "Gabapentin", "Maropitant", "Amoxicillin",
    # findings and files
    "pancreatitis", "lymphoma", "cardiomyopathy", "luxation", "pyometra", "radiograph.dcm", "blood-count.pdf",
)  # fmt: skip
SMALL_LETTERS = {
    "notice": compose_notice(posting(from_name="Tierklinik-Nord"), about=ABOUT, links=LINKS),
    "digest": compose_notice(posting(), about=ABOUT, links=LINKS, waiting=3),
    "waiting": compose_waiting(posting(), about=ABOUT, links=LINKS),
    "waiting at the front door": compose_waiting(posting(), about=None, links=LINKS),
    "confirmation": compose_confirmation(posting(), about=ABOUT, filed=Filed(position=17, head="3f2a9c41d0e7aa55" * 4), links=LINKS),
    "locked": compose_locked(posting(), about=ABOUT, kind="smime", links=LINKS),
}  # fmt: skip
EVERY_LETTER = {**SMALL_LETTERS, "plain": full_letter(sealed=False), "sealed": full_letter(sealed=True, subject="Luna")}


class Page(HTMLParser):
    """The words, the tags and the attributes of an HTML letter."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def read(letter: bytes) -> EmailMessage:
    return email.message_from_bytes(letter, policy=email.policy.default)


def body(letter: bytes, kind: str) -> str:
    found = read(letter).get_body((kind,))
    assert found is not None
    content = found.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def test_row_26_a_notice_holds_no_word_of_what_waits() -> None:
    """None of forty canary words stands in any notice: their composers get none of them, but for the practice's name."""
    assert 40 == len(CANARIES)
    decoded = {
        name: letter + (body(letter, "plain") + body(letter, "html")).encode() for name, letter in SMALL_LETTERS.items()
    }
    found = [
        (name, word) for name, letter in decoded.items() for word in CANARIES if word.lower().encode() in letter.lower()
    ]
    assert [] == found


def test_row_26_an_unsealed_letter_has_no_subject_of_its_own() -> None:
    """Even a letter that tells all inside says nothing outside; only a sealed one carries the real subject, to be sealed."""
    plain = compose_full(
        posting(), about=ABOUT, author=Author(name="Ann", role=""), text="x", parts=(), left_out=(), links=LINKS,
        sealed=False, subject="Luna's pancreatitis",
    )  # fmt: skip
    assert "Case K7Q2 (ref 12345): new message" == read(plain)["Subject"]
    assert b"Luna" not in plain
    assert "Luna" == read(EVERY_LETTER["sealed"])["Subject"]


def test_a_notice_has_every_header() -> None:
    """As the standard library reads it back."""
    message = read(SMALL_LETTERS["notice"])
    expected = {
        "Message-ID": "<abcdefghijklmnopqrstuvwxyz@mail.clinic.example>",
        "From": f"VetRelay <{CASE_ADDRESS}>",
        "Reply-To": CASE_ADDRESS,
        "To": TO,
        "Subject": "Case K7Q2 (ref 12345): new message",
        "In-Reply-To": f"<{'x' * 100}@outlook.example>",
        "References": f"<first@other.example> <{'x' * 100}@outlook.example>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "X-VetRelay-Loop": "0123456789abcdef0123456789abcdef",
        "List-Unsubscribe": f"<{LINKS.stop}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "MIME-Version": "1.0",
    }
    assert expected == {name: str(message[name]) for name in expected}
    assert DATE_MS == int(message["Date"].datetime.timestamp() * 1000)
    assert {name.lower() for name in expected} | {"date", "content-type"} == {name.lower() for name in message}


def test_a_letter_that_a_person_wrote_is_not_marked_as_automatic() -> None:
    """No out-of-office answers to it, but it is no machine's: and nothing to unsubscribe from."""
    message = read(EVERY_LETTER["plain"])
    assert "OOF" == message["X-Auto-Response-Suppress"]
    assert {"Auto-Submitted": None, "List-Unsubscribe": None, "List-Unsubscribe-Post": None} == {
        name: message[name] for name in ("Auto-Submitted", "List-Unsubscribe", "List-Unsubscribe-Post")
    }


@pytest.mark.parametrize("name", ["digest", "waiting", "confirmation", "locked"])
def test_other_automatic_letters_are_marked_as_such(name: str) -> None:
    """No program answers them."""
    message = read(SMALL_LETTERS[name])
    assert ("auto-generated", "All") == (message["Auto-Submitted"], message["X-Auto-Response-Suppress"])


@pytest.mark.parametrize("name", EVERY_LETTER)
def test_every_letter_is_clean_on_the_wire(name: str) -> None:
    """Every line ends CRLF and is short, ASCII throughout, and the same bytes come out again."""
    letter = EVERY_LETTER[name]
    lines = letter.split(b"\r\n")
    assert [] == [line for line in lines if b"\r" in line or b"\n" in line]
    assert 78 >= max(len(line) for line in lines if b"@outlook" not in line)
    assert 998 >= max(len(line) for line in lines)
    assert letter.isascii()
    assert read(letter).defects == []


def test_the_same_values_make_the_same_letter() -> None:
    """Nothing in it is drawn or asked of a clock."""
    assert full_letter(sealed=False) == full_letter(sealed=False)
    assert SMALL_LETTERS["digest"] == compose_notice(posting(), about=ABOUT, links=LINKS, waiting=3)


@pytest.mark.parametrize("name", EVERY_LETTER)
def test_the_html_says_what_the_text_says_and_asks_for_nothing(name: str) -> None:
    """No image, script, form, font or style from anywhere; only links that were passed in; the same words in both."""
    page, text = Page(body(EVERY_LETTER[name], "html")), body(EVERY_LETTER[name], "plain")
    allowed = {"html", "head", "meta", "title", "body", "div", "h1", "p", "a", "br", "ul", "li"}
    assert set() == {tag for tag, _ in page.tags} - allowed
    assert set() == {
        name for _, attributes in page.tags for name in attributes if name in {"src", "background", "srcset"}
    }
    assert "url(" not in body(EVERY_LETTER[name], "html")
    assert (
        {LINKS.upload}
        <= {found["href"] for tag, found in page.tags if tag == "a"}
        <= {LINKS.upload, LINKS.sealed, LINKS.stop}
    )
    said = set(re.findall(r"[\w']+", " ".join(page.words)))
    assert set() == set(re.findall(r"[\w']+", text)) - said


def test_a_notice_leads_to_its_pages() -> None:
    """The sealed page, large files, the way out; that a reply works; that it is not for emergencies."""
    text = " ".join(body(SMALL_LETTERS["notice"], "plain").split())
    for expected in (LINKS.sealed, LINKS.upload, LINKS.stop, "simply reply", "Not for emergencies", "code", "14 days"):
        assert expected is not None
        assert expected in text
    foot = body(SMALL_LETTERS["notice"], "plain").partition("\n-- \n")[2]
    assert "emergencies" not in foot
    assert LINKS.stop is not None
    assert LINKS.stop in foot


def test_a_notice_without_pages_still_reads_well() -> None:
    """A correspondent with keys has no sealed page; a letter need not offer a way out of notices."""
    letter = compose_notice(posting(), about=About(short="K7Q2"), links=Links(upload=LINKS.upload))
    assert "Case K7Q2: new message" == read(letter)["Subject"]
    assert read(letter)["List-Unsubscribe"] is None
    assert "sealed page" not in body(letter, "plain")


def test_a_digest_counts() -> None:
    """Three messages, one letter."""
    assert "Case K7Q2 (ref 12345): 3 new messages" == read(SMALL_LETTERS["digest"])["Subject"]


def test_a_confirmation_is_a_receipt() -> None:
    """Position in the record and the beginning of its head."""
    text = body(SMALL_LETTERS["confirmation"], "plain")
    assert "position 17" in text
    assert "3f2a 9c41 d0e7 aa55" in text
    assert "aa553f2a" not in text


def test_a_front_door_letter_names_no_case() -> None:
    """It has none yet."""
    assert "Received, waiting to be filed" == read(SMALL_LETTERS["waiting at the front door"])["Subject"]


def test_a_whole_message_keeps_every_line_and_file() -> None:
    """Text to the letter, who wrote it, the file byte for byte with its name, and that it is not sealed."""
    letter = EVERY_LETTER["plain"]
    text, files = body(letter, "plain"), list(read(letter).iter_attachments())

    assert TEXT in text
    assert "Dr. Ann Canary, veterinarian writes:" in text
    assert "ordinary email and not sealed" in " ".join(text.split())
    assert [("Röntgen left.pdf", "application/pdf", PDF.content)] == [
        (file.get_filename(), file.get_content_type(), file.get_content()) for file in files
    ]
    assert "ordinary email" not in body(EVERY_LETTER["sealed"], "plain")


def test_files_that_are_too_large_are_named_with_the_link() -> None:
    """Nobody wonders where they are."""
    letter = compose_full(
        posting(), about=ABOUT, author=Author(name="Ann", role="owner"), text="See the video.", parts=(),
        left_out=("gait.mov",), links=LINKS, sealed=False,
    )  # fmt: skip
    assert "  - gait.mov" in body(letter, "plain")
    assert LINKS.sealed is not None
    assert LINKS.sealed in body(letter, "plain")
    assert "multipart/alternative" == read(letter).get_content_type()


def test_what_fits_is_what_providers_take() -> None:
    """18 MB in the open; less in a sealed letter, which grows twice on its way."""
    most, rest = SEALED_BYTES, PLAIN_BYTES - SEALED_BYTES
    assert [True, True, True] == [fits([most], mode=mode) for mode in ("plain", "pgp", "smime")]
    assert [True, False, False] == [fits([most, rest], mode=mode) for mode in ("plain", "pgp", "smime")]
    assert not fits([most, rest, rest], mode="plain")


@pytest.mark.parametrize(
    ("name", "kind", "expected_name", "expected_kind"),
    [
        ("a\r\nBcc: x@y.pdf", "application/pdf", "a Bcc: x@y.pdf", "application/pdf"),
        ("\u202egpj.exe", "image/jpeg", "gpj.exe", "image/jpeg"),
        ("", "junk", "file", "application/octet-stream"),
        ("x.eml", "message/rfc822", "x.eml", "application/octet-stream"),
        ("x", "multipart/mixed", "x", "application/octet-stream"),
        ("x.html", "text/html", "x.html", "application/octet-stream"),
        ("x", "image/png\r\nX: y", "x", "application/octet-stream"),
        ("n" * 500, "image/png", "n" * 200, "image/png"),
    ],
)
def test_file_names_and_kinds_do_no_harm(name: str, kind: str, expected_name: str, expected_kind: str) -> None:
    """Neither new headers, nor a name that reads backwards, nor a part that mail programs would open by themselves."""
    letter = compose_full(
        posting(), about=ABOUT, author=Author(name="Ann", role="owner"), text="x",
        parts=[Part(name=name, content_type=kind, content=b"\r\n--=_x\r\n.\r\n")], left_out=(), links=LINKS, sealed=False,
    )  # fmt: skip
    (file,) = read(letter).iter_attachments()
    assert (expected_name, expected_kind) == (file.get_filename(), file.get_content_type())
    assert b"\r\n--=_x\r\n.\r\n" == file.get_content()
    assert read(letter)["Bcc"] is None


def test_what_a_person_wrote_is_never_markup() -> None:
    """Signs of HTML stay signs, in the words, the name and the reference number."""
    letter = compose_full(
        posting(), about=About(short="K7Q2", reference="<b>1&2"), author=Author(name="<img src=x>", role='"vet"'),
        text="<script>alert(1)</script> & <a href='http://evil.example'>x</a>\n.\nFrom here", parts=(), left_out=("<i>",),
        links=LINKS, sealed=False,
    )  # fmt: skip
    page = Page(body(letter, "html"))
    assert set() == {tag for tag, _ in page.tags} & {"script", "img", "b", "i"}
    assert "<script>alert(1)</script>" in page.words
    assert "\n.\nFrom here" in body(letter, "plain")


def test_line_ends_of_every_kind_become_the_same() -> None:
    """A lone CR would be a second line end to some programs, and a smuggler's tool."""
    letter = compose_full(
        posting(), about=ABOUT, author=Author(name="A", role=""), text="a\rb\r\nc\n\rd\x00\u2028e", parts=(), left_out=(),
        links=LINKS, sealed=False,
    )  # fmt: skip
    assert "a\nb\nc\n\nd \ne\n" in body(letter, "plain")


def test_ids_of_strangers_letters_make_no_headers_of_their_own() -> None:
    """What is no message id is left out; the thread is kept by its first and its last ids."""
    wrong = Posting(
        message_id="<a@b>", date_ms=DATE_MS, sender=CASE_ADDRESS, recipient=TO, loop_mark=None,
        in_reply_to="<a@b>\r\nBcc: x@y",
        references=("<first@x>", "no id", "<a b@c>", "<é@x>", *(f"<{number}@x>" for number in range(50))),
    )  # fmt: skip
    message = read(compose_notice(wrong, about=ABOUT, links=LINKS))
    references = str(message["References"]).split()
    assert (None, None) == (message["In-Reply-To"], message["Bcc"])
    assert ("<first@x>", "<30@x>", "<49@x>", 21) == (references[0], references[1], references[-1], len(references))


def test_the_sender_may_have_a_name() -> None:
    """As the settings say; odd signs are quoted or encoded by the library, and lines cannot be broken."""
    for name, expected in (
        ("Letters", "Letters"),
        ('Prax, "Nord"', 'Prax, "Nord"'),
        ("Grüße\r\nBcc: x", "Grüße Bcc: x"),
    ):
        sender = read(full_letter(sealed=False, from_name=name))["From"].addresses[0]
        assert (expected, CASE_ADDRESS) == (sender.display_name, sender.addr_spec)


def test_a_short_name_is_four_signs_of_a_kind() -> None:
    """Letter, digit, letter, digit; the same for the same token in any case; different tokens mostly differ."""
    names = {short_name(f"token{number}") for number in range(200)}
    assert all(re.fullmatch(r"[A-HJ-NP-Z][2-9][A-HJ-NP-Z][2-9]", name) for name in names)
    assert short_name("ABC234") == short_name("abc234")
    assert len(names) > 190


def test_headers_are_folded_between_words_only() -> None:
    """A word that is longer than a line stays whole."""
    assert "References: <a@b>\r\n <c@d>\r\n" == folded("References", "<a@b> <c@d>").replace("> <", ">\r\n <")
    assert f"X: {'y' * 200}\r\n" == folded("X", "y" * 200)
    assert f"X: {'a' * 50}\r\n {'b' * 50}\r\n" == folded("X", f"{'a' * 50} {'b' * 50}")


def test_one_line_is_one_line() -> None:
    """No control, direction or line characters, no runs of blanks, not too long."""
    assert "a b c" == one_line(" a\r\n\tb\u2028\u202ec\x00")
    assert "x" * 10 == one_line("x" * 50, 10)
