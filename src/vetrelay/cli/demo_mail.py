"""The demo's third act: another clinic takes part from its mailbox. Real SMTP both ways, and gpg opens what was sealed for it."""

import io
import shutil
import smtplib
import subprocess
import tempfile
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, Final

from vetrelay.cli.demo_pictures import draw_paw
from vetrelay.cli.demo_post import DOMAIN, MAILBOX, PostOffice
from vetrelay.cli.demo_records import RecordSecrets, make_pdf, make_study
from vetrelay.cli.demo_stage import Demo, checked_files

LETTER: Final = (
    "Dear colleague,\n\nhere are Bramblewick's prior records: our gumblossom report, the X-ray of the left paw, and a photo.\n"
    "Weight chart:\nFrom: 20 kg\nTo: 25 kg\nGive 2 ml.\n\nKind regards,\nDr. Alder, Alderway Clinic\n"
)
IN_A_NOTICE: Final = "Dear Dr. Alder, the sundrowned tendon is intact; Bramblewick may walk on the leash. Dr. Oleander"
SEALED: Final = "Dear Dr. Alder, please send the featherquill histology as well. Bramblewick limps less. Dr. Oleander"
WORDS: Final = (
    "gumblossom",
    "sundrowned",
    "featherquill",
    "Dr. Alder",
    "Alderway",
    "histology",
    "prior records",
    MAILBOX,
)
"""Words of this act that nothing the gateway keeps may show, nor a notice."""
READY: Final = {"clean", "converted"}


def settings_for(office: PostOffice) -> str:
    """What the operator adds to bridge.toml: whose DNS is asked, and who takes our letters."""
    return f'\nresolver = "{office.resolver}"\nsmarthost = "{office.smtp}"\nsmarthost_tls = "off"\n'


def by_email(demo: Demo, case: str, ready: dict[str, Any], office: PostOffice, secrets: RecordSecrets) -> list[str]:
    """The whole act; what was said in it, in order."""
    demo.run("vet", "bridge", "correspondents", case, "--add", MAILBOX, "--name", "Alderway Clinic")
    told = demo.json("vet", "bridge", "address", case)
    address = next((one["mail"] or "" for one in told.get("addresses", [])), "")
    demo.hold("the clinic has an address of its own in this case", true="@" in address)
    _send(demo, ready["smtp"], address, secrets)
    _check_letter(demo, case)
    _notice(demo, case, office, address)
    _sealed(demo, case, office)
    return [LETTER, IN_A_NOTICE, SEALED]


def _send(demo: Demo, smtp: str, address: str, secrets: RecordSecrets) -> None:
    """Another clinic's mail program, and its mail server."""
    folder = demo.folder / "mail"
    folder.mkdir()
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = f"Dr. Alder <{MAILBOX}>", address, "Bramblewick: prior records"
    letter["Date"], letter["Message-ID"] = formatdate(), make_msgid(domain=DOMAIN)
    letter.set_content(LETTER)
    report = make_pdf(folder / "report.pdf", "Report on Bramblewick", secrets).read_bytes()
    letter.add_attachment(report, maintype="application", subtype="pdf", filename="report.pdf")
    xray = make_study(folder / "xray", "Fennimore^Bramblewick", "Fennimore", secrets) / "IM001.dcm"
    letter.add_attachment(xray.read_bytes(), maintype="application", subtype="dicom", filename="paw.dcm")
    name, content, subtype = _photo()
    letter.add_attachment(content, maintype="image", subtype=subtype, filename=name)
    raw = letter.as_bytes(policy=letter.policy.clone(linesep="\r\n"))
    demo.console.print(f"  clinic  sends a letter of {len(raw) / 1e6:.1f} MB to {address} by SMTP", markup=False)
    host, _, port = smtp.rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=60) as session:
        session.ehlo(f"mx.{DOMAIN}")
        session.mail(MAILBOX)
        session.rcpt(address)
        code, words = session.data(raw)
    demo.hold(f"it is safe: {code} {words.decode()[:5]}", true=code == 250)


def _photo() -> tuple[str, bytes, str]:
    """As an iPhone takes it; as others do, where HEIC cannot be written."""
    picture = draw_paw(4)
    written = io.BytesIO()
    try:
        import pillow_heif
    except ImportError:
        picture.save(written, "JPEG")
        return "paw.jpg", written.getvalue(), "jpeg"
    pillow_heif.register_heif_opener()
    picture.save(written, "HEIF")
    return "paw.heic", written.getvalue(), "heic"


def _check_letter(demo: Demo, case: str) -> None:
    entry = checked_files(demo, case, 2)
    files = entry.get("attachments", [])
    for file in files:
        demo.console.print(f"    {file['name']}: {file['verdict']}, {', '.join(file['notes'])}", markup=False)
    ready = [file["name"] for file in files if file["verdict"] in READY]
    demo.hold(f"ready from the letter: {', '.join(sorted(ready))}", true=len(ready) == 3)
    demo.hold("not a line of its dosage is cut", true=entry.get("text", "").strip() == LETTER.strip())
    sender = entry.get("letter", {})
    demo.hold(f"it says who wrote it, and that this was proved: {MAILBOX}", true=bool(sender.get("known")))
    demo.run("owner", "receive", "--wait", "5")
    owners = demo.json("owner", "read", case).get("entries", [])
    demo.hold(
        "the owner sees the same letter and files",
        true=any(one["envelope"] == entry.get("envelope") and len(one["attachments"]) == 3 for one in owners),
    )


def _notice(demo: Demo, case: str, office: PostOffice, address: str) -> None:
    """Mode A: the clinic learns that something waits, and no more."""
    demo.run("vet", "send", case, "--text", IN_A_NOTICE)
    letters = office.wait(1)
    notice = letters[0].decode("utf-8", "replace") if letters else ""
    demo.hold("the clinic got a notice by email", true=address.lower() in notice.lower())
    shown = [word for word in (*WORDS[:3], "Bramblewick", "Oleander", "tendon", "Wrenfield") if word in notice]
    demo.hold("it has not one word of what was said", true=bool(letters) and not shown)


def _sealed(demo: Demo, case: str, office: PostOffice) -> None:
    """Mode B: sealed to the clinic's own PGP key, which staff approved by its fingerprint."""
    if shutil.which("gpg") is None:
        demo.hold("gpg is here to open the sealed letter (install gnupg)", true=False)
        return
    with tempfile.TemporaryDirectory(prefix="gpg") as home:  # short: gpg's sockets have long names
        _gpg(home, "--quick-generate-key", f"Alderway Clinic <{MAILBOX}>", "default", "default", "never")
        key = demo.folder / "mail" / "alderway.asc"
        key.write_bytes(_gpg(home, "--armor", "--export", MAILBOX))
        listed = _gpg(home, "--with-colons", "--list-keys").decode().splitlines()
        fingerprint = next(line.split(":")[9] for line in listed if line.startswith("fpr"))
        demo.run("vet", "bridge", "keys", case, MAILBOX, str(key), "--fingerprint", fingerprint)
        demo.run("vet", "bridge", "correspondents", case, "--add", MAILBOX, "--mode", "pgp")
        before = len(office.letters)
        demo.run("vet", "send", case, "--text", SEALED)
        letters = office.wait(before + 1)
        raw = letters[-1] if len(letters) > before else b""
        outside = [word for word in (*WORDS[:3], "Bramblewick", "Oleander") if word.encode() in raw]
        opened = _gpg(home, "--decrypt", given=raw[raw.find(b"-----BEGIN PGP") :]).decode() if raw else ""
        demo.hold(
            "a letter sealed to its key reached the clinic, and shows nothing outside", true=bool(raw) and not outside
        )
        demo.hold(
            "gpg opens it, and it says what was written", true="featherquill histology" in " ".join(opened.split())
        )


def _gpg(home: str, *words: str, given: bytes = b"") -> bytes:
    command = [
        "gpg",
        "--homedir",
        home,
        "--batch",
        "--quiet",
        "--pinentry-mode",
        "loopback",
        "--passphrase",
        "",
        *words,
    ]
    done = subprocess.run(command, input=given, capture_output=True, check=False)  # noqa: S603  # gpg, with our own words
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False, capture_output=True)  # noqa: S603, S607  # gpg's own
    return done.stdout
