"""The words of a letter, and its files: one walk over its parts, for a letter that is inspected and one that is read.

Plain text before a web page, both where they differ; flowed paragraphs joined; what is no words is a part.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from vetrelay.inspection.formats import flowed, lettertext, pagetext
from vetrelay.inspection.formats.letterparts import Part
from vetrelay.inspection.formats.partnames import file_name, made_up_name, name_of_its_kind
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.letterframe import is_media_type
from vetrelay.inspection.letterread import LetterPart
from vetrelay.inspection.notes import Note
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.words import Reason, Unfit

SIGNATURES = frozenset({"application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"})
_WORDS = frozenset({"text/plain", "text/html"})
_TELLS_OF_MIME = re.compile(r"(?i)mime|multi-?part")
_WORD = re.compile(r"\w+")
_LINK = re.compile(r"<?\b(?:https?|mailto|tel):[^\s<>]*>?")
# Of ten words so many must be there; of those with a digit, which may be a dose, all.
_MOST_OF_TEN = 8
_LONGEST_COMPARED_CHARS = 1 << 20
# A megabyte of a page takes a second; of a letter's pages so much is read.
MAX_PAGES_CHARS = 2 << 20
_ONLY_A_FILE = "--- a web page that is only in the file page.html ---"


class Reader:
    """Gathers the words and the files of one letter.

    `most`: so many files, else Unfit. `told_of` says in the words what else a file tells (a letter in the letter).
    """

    def __init__(
        self,
        content: Content,
        *,
        most: int,
        left_out: frozenset[str] = frozenset(),
        told_of: Callable[[LetterPart], str] | None = None,
    ) -> None:
        self._content = content
        self._most = most
        self._left_out = left_out
        self._told_of = told_of
        self._pages_chars = 0
        self.tally = Tally()
        self.parts: list[LetterPart] = []

    def words_of(self, part: Part) -> str:
        """The words of a part; what is no words is put aside as a file. Raises Unfit."""
        if part.within:
            words = [self.words_of(inner) for inner in part.within]
            if part.media_type == "multipart/alternative":
                words = [self._chosen(part, words)]
            return together([*self._said_outside(part), *words])
        if part.media_type in self._left_out:
            return ""
        if self._is_words(part):
            return self._said(part)
        return self._put_aside(part)

    def _said_outside(self, part: Part) -> Iterator[str]:
        """What a gateway, or a broken program, wrote before or behind the parts: shown, unless it only tells of MIME."""
        for begin, end in part.outside if self._told_of else ():
            text = lettertext.body_text(bytes(self._content[begin:end]), "", Tally()).strip()
            if text and not _TELLS_OF_MIME.search(text):
                yield text

    def _said(self, part: Part) -> str:
        text = lettertext.body_text(self.body(part), part.fields.parameter("charset"), self.tally)
        if part.media_type == "text/html":
            self.tally.add(Note.SHOWN_AS_TEXT)
            if self._told_of is not None:
                text = self._kept_of_a_page(part, text)
                self._pages_chars += min(len(text), pagetext.MAX_PAGE_CHARS)
                if self._pages_chars > MAX_PAGES_CHARS:
                    return _ONLY_A_FILE
            return pagetext.page_text(text, self.tally)
        if part.fields.parameter("format").lower() == "flowed":
            return flowed.joined(text, delete_space=part.fields.parameter("delsp").lower() == "yes")
        return text

    def _kept_of_a_page(self, part: Part, page: str) -> str:
        """Pictures written into a page are files; all of it is one where it is too long to be shown whole."""
        page, pictures = pagetext.without_pictures(page)
        for one in pictures:
            self.add(LetterPart(name="", media_type=one.media_type, content=one.content, inline=True))
        is_cut = len(page) > pagetext.MAX_PAGE_CHARS
        if is_cut or self._pages_chars + len(page) > MAX_PAGES_CHARS:
            self._keep(part, "page.html")
        return page

    @staticmethod
    def _chosen(part: Part, words: list[str]) -> str:
        """Of several ways to say the same, the plain one; else the last, which its writer held to be the best.

        Beside it those that say something else: a plain text may be no more than "your program cannot show this".
        """
        said = [(inner, text) for inner, text in zip(part.within, words, strict=True) if text.strip()]
        if not said:
            return ""
        plain = [text for inner, text in said if inner.media_type == "text/plain"]
        shown = [plain[0] if plain else said[-1][1]]
        for _, text in said:
            if not says_the_same(text, "\n".join(shown)):
                shown.append(text)
        return together(shown)

    @staticmethod
    def _is_words(part: Part) -> bool:
        if part.media_type not in _WORDS and not part.media_type.startswith("multipart/"):
            return False
        return part.fields.disposition != "attachment" and not file_name(part.fields)

    def body(self, part: Part) -> bytes:
        """What a part holds, as it was before it travelled."""
        body = bytes(self._content[part.begin : part.end])
        return lettertext.transferred(body, part.fields.get("Content-Transfer-Encoding"))

    def _put_aside(self, part: Part) -> str:
        content = self.body(part)
        if not content and not (self._told_of and file_name(part.fields)):
            return ""
        kept = self._keep(part, "", content)
        return "" if self._told_of is None else self._told_of(kept)

    def _keep(self, part: Part, name: str, content: bytes | None = None) -> LetterPart:
        # A type that nobody has heard of says nothing of the content.
        media_type = part.media_type if is_media_type(part.media_type) else ""
        disposition = part.fields.disposition
        is_within = disposition == "inline" or (not disposition and bool(part.fields.get("Content-ID")))
        return self.add(
            LetterPart(
                name=name or name_of_its_kind(file_name(part.fields), media_type),
                media_type=media_type,
                content=self.body(part) if content is None else content,
                inline=is_within,
            )
        )

    def add(self, part: LetterPart) -> LetterPart:
        """One more file, named by its number where it has no name. Raises Unfit(LETTER_TOO_MANY_PARTS)."""
        if len(self.parts) >= self._most:
            raise Unfit(Reason.LETTER_TOO_MANY_PARTS)
        named = part if part.name else replace(part, name=made_up_name(part.media_type, len(self.parts) + 1))
        self.parts.append(named)
        return named


def says_the_same(text: str, shown: str) -> bool:
    """Whether whoever reads `shown` has read `text`: nearly all its words, and every one with a digit but in links."""
    if len(text) + len(shown) > _LONGEST_COMPARED_CHARS:
        return False
    said, known = (set(_WORD.findall(_LINK.sub(" ", one).lower())) for one in (text, shown))
    new = said - known
    if any(sign.isdigit() for word in new for sign in word):
        return False
    return 10 * len(said - new) >= _MOST_OF_TEN * len(said)


def together(words: list[str]) -> str:
    """Several texts under one another."""
    return "\n\n".join(said.strip("\n") for said in words if said.strip())
