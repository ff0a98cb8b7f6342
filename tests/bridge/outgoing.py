"""A letter's outside and words as the tests of outgoing letters use them."""

from vetrelay.bridge.letters.letter import About, Author, Links, Posting, compose_full
from vetrelay.bridge.letters.lettermime import Part

CASE_ADDRESS = "case+k7qabcdefghijklmnopqrstuvw@mail.clinic.example"
TO = "records@other.example"
DATE_MS = 1_795_331_391_000
LINKS = Links(
    upload="https://mail.clinic.example/u/k7qabcdefghijklmnopqrstuvw",
    sealed="https://mail.clinic.example/s/k7qabcdefghijklmnopqrstuvw",
    stop="https://mail.clinic.example/x/k7qabcdefghijklmnopqrstuvw",
)
ABOUT = About(short="K7Q2", reference="12345")
PDF = Part(name="Röntgen left.pdf", content_type="application/pdf", content=b"%PDF-1.7 " + bytes(range(256)) * 8)
TEXT = "Dear colleague,\n\nWeight chart:\nFrom: 20 kg\nTo: 25 kg\nGive 2 ml.\n\nGrüße\nAnn"


def posting(*, from_name: str | None = None, autocrypt: str | None = None) -> Posting:
    """The outside of a letter in a thread."""
    return Posting(
        message_id="<abcdefghijklmnopqrstuvwxyz@mail.clinic.example>",
        date_ms=DATE_MS,
        sender=CASE_ADDRESS,
        recipient=TO,
        loop_mark="0123456789abcdef0123456789abcdef",
        from_name=from_name,
        in_reply_to=f"<{'x' * 100}@outlook.example>",
        references=("<first@other.example>", f"<{'x' * 100}@outlook.example>"),
        autocrypt=autocrypt,
    )


def full_letter(*, sealed: bool, subject: str | None = None, from_name: str | None = None) -> bytes:
    """A whole message with a file, as mode D sends it, or as modes B and C seal it."""
    return compose_full(
        posting(from_name=from_name),
        about=ABOUT,
        author=Author(name="Dr. Ann Canary", role="veterinarian"),
        text=TEXT,
        parts=[PDF],
        left_out=(),
        links=LINKS,
        sealed=sealed,
        subject=subject,
    )
