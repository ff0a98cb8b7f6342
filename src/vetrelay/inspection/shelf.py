"""What is made of the members of a pack: lying loose while it is little, else packed anew as it comes.

A pack made anew is written member by member into a sink of the caller's, so that a study of any size needs the memory
of one image. The names in it are safe ones, each once.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from vetrelay.inspection.entrynames import folders_of, place_of
from vetrelay.inspection.finding import Output
from vetrelay.inspection.naming import safe_name
from vetrelay.inspection.pack import HashedSink, PackWriter, Sink
from vetrelay.inspection.result import Role

MAX_LOOSE_MEMBERS = 24
MAX_LOOSE_BYTES = 64 << 20
# A verdict names at most 64 copies of one file; some are kept for what is said of the pack itself.
MAX_LOOSE_OUTPUTS = 56
_PACKED_ROLES = frozenset({Role.RECORD.word, Role.VIEWING.word})
_NAME_PARTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    folders: tuple[str, ...]
    output: Output
    packed: bool


@dataclass(slots=True)
class Shelf:
    """Takes what was made of each member; `outputs` gives it all, once, at the end.

    `loose` is whether it begins loose; what grows too large is packed after all.
    """

    sink: Sink | None
    loose: bool
    _made: list[_Made] = field(default_factory=list)
    _loose_bytes: int = 0
    _writer: PackWriter = field(default_factory=PackWriter)
    _pack: HashedSink | None = None
    _files: set[str] = field(default_factory=set)
    _folders: set[str] = field(default_factory=set)
    _numbers: dict[str, Iterator[int]] = field(default_factory=dict)

    def put(self, member_name: str, output: Output, *, member: int, with_text: bool) -> None:
        """One copy of the member of this name, whose number is `member`. Raises pack.PackTooLarge.

        `with_text`: its text goes into a pack too, because no other copy of it does.
        """
        folders = tuple(safe_name(part, "") for part in member_name.split("/")[:-1])[-_NAME_PARTS:]
        packed = output.role in _PACKED_ROLES or (with_text and output.role == Role.TEXT.word)
        made = _Made(folders=folders, output=replace(output, member=member), packed=packed)
        if not self.loose:
            self._write([made])
            return
        self._made.append(made)
        self._loose_bytes += len(output.content)
        if self._loose_bytes > MAX_LOOSE_BYTES or len(self._made) > MAX_LOOSE_OUTPUTS:
            self.loose = False
            self._write(self._made)
            self._made = []

    def outputs(self, pack_name: str) -> tuple[Output, ...]:
        """Everything: the loose ones, each under a name of its own, or the one pack. Raises pack.PackTooLarge."""
        if self.loose:
            return tuple(replace(one.output, name=self._free_name((), one)) for one in self._made)
        if self._pack is None:
            return ()
        for piece in self._writer.end():
            self._pack.write(piece)
        return (
            Output(
                role=Role.RECORD.word,
                name=safe_name(pack_name, "zip"),
                media_type="application/zip",
                content=self._pack.content or b"",
                written=None if self._pack.content is not None else self._pack.written(),
            ),
        )

    def _write(self, made: list[_Made]) -> None:
        if self._pack is None:
            self._pack = HashedSink(self.sink)
        for one in made:
            if one.packed:
                folders = self._free_folders(one.folders)
                for piece in self._writer.member(self._free_name(folders, one), one.output.content):
                    self._pack.write(piece)

    def _free_name(self, folders: tuple[str, ...], made: _Made) -> str:
        """The output's own name; with its folders before it, then with a number, where that is taken."""
        name = made.output.name
        stem, dot, ending = name.rpartition(".")
        if not dot:
            stem, ending = name, ""
        tries = ["/".join((*folders, name))]
        if not folders and made.folders:
            tries.append(" - ".join((*made.folders[-2:], name)))
        # Thousands may have one name: each number is tried once.
        numbers = self._numbers.setdefault(place_of(tries[0]), itertools.count(2))
        numbered = ("/".join((*folders, f"{stem} ({number}){dot}{ending}")) for number in numbers)
        free = next(one for one in itertools.chain(tries, numbered) if self._is_free(place_of(one)))
        self._take(place_of(free))
        return free

    def _is_free(self, place: str) -> bool:
        return place not in self._files and place not in self._folders

    def _take(self, place: str) -> None:
        self._files.add(place)
        self._folders.update(folders_of(place))

    def _free_folders(self, folders: tuple[str, ...]) -> tuple[str, ...]:
        """The folders, each with a mark behind it where a file lies in its place."""
        free: tuple[str, ...] = ()
        for folder in folders:
            while place_of("/".join((*free, folder))) in self._files:
                folder = f"{folder}_"  # noqa: PLW2901 - the name itself grows until it is free
            free = (*free, folder)
        return free
