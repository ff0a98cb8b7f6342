"""Paragraphs that a letter's program broke into lines, joined again (format=flowed, RFC 3676).

A line that ends with a space goes on in the next one of the same depth of quoting; "-- " alone begins a signature. No
word changes, and nothing goes but the breaks and the one space that was stuffed before a line.
"""

_SIGNATURE = "-- "


def joined(text: str, *, delete_space: bool) -> str:
    """The text with its soft line breaks undone; `delete_space` is DelSp=yes, for writings without spaces."""
    lines: list[str] = []
    pieces: list[str] = []
    depth_of_pieces = 0
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        said = line[depth:].removeprefix(" ")
        if pieces and (depth != depth_of_pieces or said == _SIGNATURE):
            lines.append(_quoted("".join(pieces), depth_of_pieces))
            pieces = []
        depth_of_pieces = depth
        if said.endswith(" ") and said != _SIGNATURE:
            pieces.append(said[:-1] if delete_space else said)
            continue
        lines.append(_quoted("".join((*pieces, said)), depth))
        pieces = []
    if pieces:
        lines.append(_quoted("".join(pieces), depth_of_pieces))
    return "\n".join(lines)


def _quoted(said: str, depth: int) -> str:
    return f"{'>' * depth} {said}" if depth else said
