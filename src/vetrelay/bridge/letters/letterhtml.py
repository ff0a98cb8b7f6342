"""The HTML of a letter: inline style only, no image, nothing remote, no colour that a dark screen could swallow.

Text and ground keep the reader's own colours, so that every mail program may darken the letter as it likes; only the
main link has a pair of its own, with a contrast of 7 to 1. One column that bends to 320 px.
"""

from collections.abc import Sequence
from html import escape
from typing import Final

from vetrelay.bridge.letters.letterblocks import Block, Heading, Link, Listed, Paragraph, Said, Small

_FONT: Final = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_TEXT: Final = "margin:0 0 16px;font-size:16px;line-height:1.5"
_BREAK: Final = "overflow-wrap:anywhere;word-break:break-word"
_QUIET: Final = "margin:0 0 4px;font-size:14px;line-height:1.45"
_SAID: Final = (
    "margin:0 0 20px;padding:2px 0 2px 14px;border-left:3px solid #3f8f78;font-size:16px;line-height:1.5;"
    f"white-space:pre-wrap;{_BREAK}"
)
_BUTTON: Final = (
    "display:inline-block;padding:12px 20px;border-radius:6px;background-color:#1c6450;color:#ffffff;"
    "font-weight:600;text-decoration:none"
)


def as_html(blocks: Sequence[Block], *, title: str) -> str:
    """The whole document. Every word is escaped; the only addresses in it are the links that were passed."""
    body = [piece for block in blocks if not isinstance(block, Small) for piece in _piece(block)]
    foot = [piece for block in blocks if isinstance(block, Small) for piece in _piece(block)]
    if foot:
        body += ['<div style="margin-top:28px;padding-top:14px;border-top:1px solid #8a9a94">', *foot, "</div>"]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">',
            f"<title>{escape(title)}</title></head>",
            f'<body style="margin:0;padding:0;{_FONT}">',
            f'<div style="max-width:560px;margin:0 auto;padding:24px 16px;{_BREAK}">',
            *body,
            "</div></body></html>",
            "",
        ]
    )


def _piece(block: Block) -> list[str]:
    match block:
        case Heading(text=text):
            return [f'<h1 style="margin:0 0 16px;font-size:21px;line-height:1.3">{escape(text)}</h1>']
        case Paragraph(text=text):
            return [f'<p style="{_TEXT}">{escape(text)}</p>']
        case Link(label=label, url=url, main=True):
            # The address stands below as well: some programs show no buttons, and people may want to see where it goes.
            return [
                f'<p style="margin:0 0 6px"><a href="{escape(url)}" style="{_BUTTON}">{escape(label)}</a></p>',
                f'<p style="margin:0 0 16px;font-size:13px;line-height:1.4;{_BREAK}">{escape(url)}</p>',
            ]
        case Link(label=label, url=url):
            return [f'<p style="{_TEXT}">{escape(label)}:<br><a href="{escape(url)}">{escape(url)}</a></p>']
        case Said(by=by, text=text):
            return [
                f'<p style="margin:0 0 8px;font-size:14px;font-weight:600">{escape(by)}</p>',
                f'<div style="{_SAID}">{_lines(text)}</div>',
            ]
        case Listed(sentence=sentence, names=names):
            return [
                f'<p style="margin:0 0 4px;font-size:16px;line-height:1.5">{escape(sentence)}</p>',
                '<ul style="margin:0 0 16px;padding-left:22px;font-size:16px;line-height:1.5">',
                *(f'<li style="{_BREAK}">{escape(name)}</li>' for name in names),
                "</ul>",
            ]
        case Small(text=text, url=url):
            after = f'<br><a href="{escape(url)}">{escape(url)}</a>' if url else ""
            return [f'<p style="{_QUIET}">{escape(text)}{after}</p>']


def _lines(text: str) -> str:
    # <br> as well as pre-wrap: programs that drop the style still keep the lines.
    return "<br>".join(escape(line) for line in text.split("\n"))
