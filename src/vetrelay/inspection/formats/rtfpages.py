"""The code pages that RTF documents are written in. Source: RTF specification 1.9.1, "Character Set" and `fcharset`."""

from collections.abc import Mapping

CODE_PAGES: Mapping[int | None, str] = {
    437: "cp437",
    850: "cp850",
    852: "cp852",
    866: "cp866",
    874: "cp874",
    932: "cp932",
    936: "gbk",
    949: "cp949",
    950: "cp950",
    1250: "cp1250",
    1251: "cp1251",
    1252: "cp1252",
    1253: "cp1253",
    1254: "cp1254",
    1255: "cp1255",
    1256: "cp1256",
    1257: "cp1257",
    1258: "cp1258",
    10000: "mac-roman",
    65001: "utf-8",
}
FONT_CHARSETS: Mapping[int | None, str] = {
    0: "cp1252",
    77: "mac-roman",
    128: "cp932",
    129: "cp949",
    134: "gbk",
    136: "cp950",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
}


def decode(content: bytes, page: str) -> str:
    """The letters; where the page has none for a byte, all of them are read as Western European."""
    try:
        return content.decode(page)
    except UnicodeDecodeError:
        return content.decode("latin-1")
