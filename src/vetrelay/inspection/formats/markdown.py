"""Markdown that does nothing: it stays Markdown, but no image loads, no page code runs, and no link hides where it leads.

It is not parsed and written anew: two Markdown readers never agree. Instead the few signs that begin something live
are broken by one space wherever they stand, so that no reader of CommonMark or of GitHub's dialect sees a beginning: `](`, `]:`, `![`, and
`<` before a letter. What is plainly harmless stays: links to plain web and mail addresses, and bare tags of an
allow-list. nh3 is not used on the text, since it rewrites Markdown's own signs (`>` begins a quotation).
"""

import re
from collections.abc import Callable

from vetrelay.inspection.notes import Note

# No sign that a reader ends early at or hides; an entity can stand only after the scheme, which it cannot change.
_PLAIN = r"(?:https?://[A-Za-z0-9._~/?#@!$&%'*+,;=:-]+|mailto:[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+)"
_TITLE = r"(?:[ ]+\"[^\"\n\\]*\")?"
_TAGS = "b|i|u|s|em|strong|br|hr|sub|sup|p|ul|ol|li|dl|dt|dd|del|ins|kbd|code|pre|blockquote|table|thead|tbody|tr|td|th|h[1-6]"

_IMAGE = re.compile(r"!\[")
_LINK = re.compile(rf"\]\((?!{_PLAIN}{_TITLE}\))")
_DEFINITION = re.compile(rf"\]:(?![ \t]{{0,8}}\n?[ \t]{{0,8}}{_PLAIN}{_TITLE}[ \t]{{0,8}}(?:\n|\Z))")
_TAG = re.compile(rf"<(?=[A-Za-z/!?])(?!/?(?:{_TAGS})[ ]?/?>)(?!{_PLAIN}>)", re.IGNORECASE)

_RULES: tuple[tuple[re.Pattern[str], str, Note], ...] = (
    (_IMAGE, "! [", Note.PICTURE_LINKS_MADE_INERT),
    (_LINK, "] (", Note.LINKS_MADE_INERT),
    (_DEFINITION, "] :", Note.LINKS_MADE_INERT),
    (_TAG, "< ", Note.PAGE_CODE_MADE_INERT),
)


def made_inert(text: str, note: Callable[[Note, int], None]) -> str:
    """The same text with every live sign broken; how many of each is noted."""
    for pattern, harmless, kind in _RULES:
        text, count = pattern.subn(harmless, text)
        note(kind, count)
    return text
