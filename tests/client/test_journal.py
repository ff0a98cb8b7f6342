"""The journal: what has committed stays, what has not was never there, and several processes may write at once."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from vetrelay.client.journal import FILE_NAME, MAX_EVIDENCE, CaseRow, Journal, LogRow
from vetrelay.errors import Refusal
from vetrelay.protocol.ids import b64, sha256
from vetrelay.protocol.log import Kind, Link, Tail, empty_log

CASE = b64(sha256(b"case"))


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A new journal."""
    journal = Journal(tmp_path)
    yield journal
    journal.close()


def row(n: int, *, kind: Kind = Kind.ENVELOPE, signed: bytes | None = b"{}", answers: str | None = None) -> LogRow:
    """A made-up position."""
    link = Link(time_ms=n, kind=kind, entry=b64(sha256(b"entry", bytes([n]))))
    return LogRow(n=n, link=link, signed=signed, fault=None, answers=answers)


def followed(n: int) -> CaseRow:
    """A made-up state of a case."""
    return CaseRow(
        id=CASE, tail=Tail(n=n, head=b64(bytes(32)), time_ms=n), newest_head=b"head", head_time_ms=7, blocked=None,
        named_n=0, title=None, newcomer_n=3,
    )  # fmt: skip


def test_a_case_that_was_never_seen_stands_at_its_empty_log(journal: Journal) -> None:
    """Whoever asks needs no special case."""
    assert empty_log(CASE) == journal.case(CASE).tail
    assert () == journal.cases()


def test_positions_come_back_in_order(journal: Journal) -> None:
    """All of them, from one on, up to one, and one by its entry."""
    for n in (1, 2, 3):
        journal.append_log(CASE, row(n))
    assert [1, 2, 3] == [kept.n for kept in journal.log(CASE)]
    assert [2] == [kept.n for kept in journal.log(CASE, after=1, limit=1)]
    assert [1, 2] == [kept.n for kept in journal.rows(CASE, upto=2)]
    assert row(2) == journal.position_of(CASE, row(2).link.entry)
    assert journal.position_of(CASE, b64(bytes(32))) is None


def test_links_bring_statements_but_no_envelopes(journal: Journal) -> None:
    """A roster is computed from statements: an envelope's bytes stay on the disk; which verdict stands is told."""
    journal.append_log(CASE, row(1, kind=Kind.CASE))
    journal.append_log(CASE, row(2, answers=CASE))
    assert [(b"{}", None), (None, CASE)] == [(kept.signed, kept.answers) for kept in journal.links(CASE, after=0)]


def test_a_position_is_never_written_twice(journal: Journal) -> None:
    """Two who follow the same case cannot both add the next position."""
    journal.append_log(CASE, row(1))
    with pytest.raises(sqlite3.IntegrityError):
        journal.append_log(CASE, row(1, signed=None))


def test_a_note_on_a_case_does_not_set_back_who_follows_it(journal: Journal) -> None:
    """Title, names and block are columns of their own: writing one leaves the tail alone."""
    journal.save_followed(followed(5))
    journal.save_title(CASE, b"title")
    journal.save_named(CASE, 4)
    journal.save_named(CASE, 2)
    journal.block(CASE, "log_forked", b"kept", at_ms=1)
    journal.save_followed(followed(6))
    kept = journal.case(CASE)
    assert (6, b"title", 4, "log_forked", 3) == (
        kept.tail.n, kept.title, kept.named_n, kept.blocked, kept.newcomer_n,
    )  # fmt: skip


def test_a_case_can_have_a_title_before_it_was_followed(journal: Journal) -> None:
    """Who waits at the door knows what the invitation said."""
    journal.save_title(CASE, b"title")
    assert (b"title", empty_log(CASE)) == (journal.case(CASE).title, journal.case(CASE).tail)


def test_what_blocks_first_is_told_and_evidence_has_a_bound(journal: Journal) -> None:
    """A relay that contradicts itself at every call does not fill the disk."""
    for count in range(MAX_EVIDENCE + 5):
        journal.block(CASE, "log_forked" if count else "log_shortened", b"%d" % count, at_ms=count)
    assert "log_shortened" == journal.case(CASE).blocked
    assert MAX_EVIDENCE == len(journal.evidence(CASE))
    assert ("log_shortened", b"0") == journal.evidence(CASE)[0]


def test_a_transaction_is_all_or_nothing(journal: Journal) -> None:
    """What is raised inside takes everything back."""
    journal.append_log(CASE, row(1))
    with pytest.raises(sqlite3.IntegrityError), journal.transaction():
        add_two(journal, 2, 1)
    assert 1 == len(journal.log(CASE))
    with journal.transaction():
        add_two(journal, 2, 3)
    assert 3 == len(journal.log(CASE))


def add_two(journal: Journal, *positions: int) -> None:
    """Two positions."""
    for n in positions:
        journal.append_log(CASE, row(n))


def test_the_cursor_never_goes_back(journal: Journal) -> None:
    """Two processes read the same inbox; the slower one has nothing new to say."""
    journal.save_cursor(5)
    journal.save_cursor(3)
    assert 5 == journal.cursor()


def test_the_first_copy_of_an_object_stays(journal: Journal) -> None:
    """Only checked copies come here, so a second one is the same."""
    journal.save_object(CASE, "h0", b"header", b"payload")
    journal.save_object(CASE, "h0", b"header", None)
    assert (b"header", b"payload") == journal.object_of("h0")
    assert journal.object_of("h1") is None


def test_the_file_is_its_owners_alone(journal: Journal, tmp_path: Path) -> None:
    """Also what SQLite writes beside it."""
    journal.save_cursor(1)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob(f"{FILE_NAME}*")}
    assert {0o600} == set(modes.values())
    assert 3 == len(modes)
    assert 0o700 == (tmp_path / "spool").stat().st_mode & 0o777


def test_a_journal_of_later_software_is_left_alone(tmp_path: Path) -> None:
    """Whoever went back to an older version is told to update."""
    Journal(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(Refusal) as refused:
        Journal(tmp_path)
    assert "newer_version" == refused.value.code


WRITER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from vetrelay.client.journal import Journal
    journal = Journal(Path(sys.argv[1]))
    print("ready", flush=True)
    count = 0
    while count < int(sys.argv[3]):
        with journal.transaction():
            count += 1
            for part in range(3):
                journal.save_object(sys.argv[2], f"{sys.argv[2]} {count} {part}", b"header", b"payload" * 100)
        print(count, flush=True)
""")


def test_eight_processes_open_and_write_one_journal_at_once(tmp_path: Path) -> None:
    """Nobody is turned away, and nothing is lost."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(number), "20"], stdout=subprocess.DEVNULL)
        for number in range(8)
    ]
    assert [0] * 8 == [writer.wait(60) for writer in writers]
    journal = Journal(tmp_path)
    kept = [journal.object_of(f"{number} {count} 2") for number in range(8) for count in range(1, 21)]
    journal.close()
    assert None not in kept


def test_what_was_told_survives_a_kill(tmp_path: Path) -> None:
    """(Durable before acknowledged) Every count that was printed is whole in the file; a half one is not there."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), "x", "100000"], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    told = [writer.stdout.readline().strip() for _ in range(40)][-1]
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.stdout.read().split()
    writer.wait()
    writer.stdout.close()
    last = int(rest[-1] if rest else told)
    journal = Journal(tmp_path)
    counts = [
        sum(journal.object_of(f"x {count} {part}") is not None for part in range(3)) for count in range(1, last + 3)
    ]
    journal.close()
    assert [3] * last == counts[:last]
    assert set(counts[last:]) <= {0, 3}
