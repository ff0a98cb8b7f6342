"""Who a From field names. Strict and linear: what can be read in two ways names nobody.

A display name is worth nothing. An address in it that is not the author's own would be shown by some programs as the
author, so that such a field names nobody either.
"""

from typing import Final

from vetrelay.bridge.addressing import plain_address

_SPACE: Final = " \t\r\n"


def authors(untrusted: bytes) -> tuple[str, ...] | None:
    """The addresses of one From field in lower case (RFC 5322 3.4); None where it cannot be read for certain."""
    try:
        mailboxes = _mailboxes(untrusted.decode("utf-8"))
    except (UnicodeDecodeError, _Unreadable):
        return None
    return tuple(mailboxes)


class _Unreadable(Exception):
    """The field breaks the grammar, or one of its addresses is an unusual one."""


def _mailboxes(text: str) -> list[str]:
    found: list[str] = []
    words: list[str] = []  # the phrase, or the bare address, up to the comma
    angle: str | None = None
    at = 0
    while at < len(text):
        char = text[at]
        if char == '"':
            at = _after_quoted(text, at)
            words.append('"')  # stands for the quoted words: no address has one
        elif char == "(":
            at = _after_comment(text, at)
            words.append(" ")
        elif char == "<":
            end = text.find(">", at)
            if end < 0 or angle is not None:
                raise _Unreadable
            angle = text[at + 1 : end].strip(_SPACE)
            at = end + 1
        elif char == ",":
            found.extend(_mailbox("".join(words), angle))
            words, angle = [], None
            at += 1
        elif char in ">:;" or (angle is not None and char not in _SPACE):
            raise _Unreadable
        else:
            words.append(char)
            at += 1
    found.extend(_mailbox("".join(words), angle))
    return found


def _mailbox(words: str, angle: str | None) -> tuple[str, ...]:
    """The address of one mailbox; nothing for the empty one between two commas (obsolete, and allowed)."""
    said = words.strip(_SPACE)
    if angle is None and not said:
        return ()
    address = plain_address(said if angle is None else angle)
    if address is None or (angle is not None and "@" in said and plain_address(said) != address):
        raise _Unreadable
    return (address,)


def _after_quoted(text: str, start: int) -> int:
    at = start + 1
    while at < len(text):
        if text[at] == '"':
            return at + 1
        at += 2 if text[at] == "\\" else 1
    raise _Unreadable


def _after_comment(text: str, start: int) -> int:
    """Behind the comment, which may hold comments: counted, so that no depth of them costs more than its length."""
    depth, at = 0, start
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] in "()":
            depth += 1 if text[at] == "(" else -1
            if depth == 0:
                return at + 1
        at += 1
    raise _Unreadable
