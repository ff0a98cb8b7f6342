"""Names that are safe on every disk and show on a screen what they are."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.inspection.naming import safe_name


@pytest.mark.parametrize(
    ("name", "extension", "expected"),
    [
        ("IMG_1234.HEIC", "jpg", "IMG_1234.jpg"),
        ("Rex Pfote.jpeg", "jpg", "Rex Pfote.jpg"),
        ("paw", "jpg", "paw.jpg"),
        ("paw.v2", "jpg", "paw.v2.jpg"),
        ("report.pdf", "", "report.pdf"),
        ("REPORT.PDF", "", "REPORT.pdf"),
        ("../../etc/passwd", "jpg", "passwd.jpg"),
        ("C:\\Users\\x\\paw.png", "png", "paw.png"),
        ("a/b\\c.jpg", "jpg", "c.jpg"),
        ("..", "jpg", "file.jpg"),
        (".", "", "file"),
        ("", "", "file"),
        ("   ", "jpg", "file.jpg"),
        (".hidden.jpg", "jpg", "hidden.jpg"),
        (".jpg", "jpg", "file.jpg"),
        ("CON", "jpg", "_CON.jpg"),
        ("nul.txt", "", "_nul.txt"),
        ("com1.tar.jpg", "jpg", "_com1.tar.jpg"),
        ("LPT¹.jpg", "jpg", "_LPT¹.jpg"),
        ("invoice\u202egpj.exe", "jpg", "invoicegpj.jpg"),
        ("pa\u200bw\u0000.jpg", "jpg", "paw.jpg"),
        ("line\nbreak\u2028.jpg", "jpg", "linebreak.jpg"),
        ('a<b>c:d"e|f?g*h.jpg', "jpg", "a_b_c_d_e_f_g_h.jpg"),
        ("trailing. . .jpg", "jpg", "trailing.jpg"),
        ("many   spaces\u00a0here.jpg", "jpg", "many spaces here.jpg"),
        ("e\u0301.jpg", "jpg", "\u00e9.jpg"),
        ("猫の足.jpg", "jpg", "猫の足.jpg"),
        ("broken\ud800.jpg", "jpg", "broken.jpg"),
    ],
)
def test_a_name_becomes_one_safe_path_part(name: str, extension: str, expected: str) -> None:
    """Folders, tricks and devices go; what a person wrote stays; the extension is right."""
    assert expected == safe_name(name, extension)


@given(st.text(st.characters(codec=None), max_size=400), st.sampled_from(["", "jpg", "png"]))
def test_every_name_is_safe(name: str, extension: str) -> None:
    """Whatever a stranger calls a file: one visible path part of bounded length, and never nothing."""
    safe = safe_name(name, extension)
    assert 0 < len(safe.encode("utf-8")) <= 120 + len("_.") + 8
    assert safe not in {".", ".."}
    assert not safe.startswith(".")
    assert not set(safe) & set('/\\<>:"|?*')
    assert not {unicodedata.category(sign) for sign in safe} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert safe.endswith(f".{extension}" if extension else "")


@given(st.text(max_size=100))
def test_a_safe_name_stays_as_it_is(name: str) -> None:
    """Making a name safe twice changes nothing more."""
    once = safe_name(name, "jpg")
    assert once == safe_name(once, "jpg")
