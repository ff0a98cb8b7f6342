"""Promises: what stands, what is settled, what was told; one wish at a time."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from vetrelay.client.journal import Journal
from vetrelay.client.promises import PayloadRow


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A new journal."""
    journal = Journal(tmp_path)
    yield journal
    journal.close()


def put(journal: Journal, intent: str = "send:x", *, created_ms: int = 1) -> int:
    """A promise."""
    return journal.put_outgoing(
        intent, case="case", method="PUT", path="/x", body=b"body", draft=None, created_ms=created_ms
    )


def payload(journal: Journal, outbox_id: int, name: str = "a.payload") -> PayloadRow:
    """A sealed file that a promise waits for."""
    path = journal.spool / name
    path.write_bytes(b"sealed")
    return PayloadRow(p=name, outbox_id=outbox_id, case="case", size_bytes=6, spool=path, url=None, done=False)


def test_a_promise_stands_until_it_is_settled_and_is_remembered_until_it_is_told(journal: Journal) -> None:
    """The same wish finds it until the person has been told."""
    identifier = put(journal)
    assert [identifier] == [promised.id for promised in journal.outgoing()]
    journal.settle(identifier, receipt=b"receipt", refused=None)
    assert () == journal.outgoing()
    found = journal.intended("send:x")
    assert found is not None
    assert b"receipt" == found.receipt
    journal.report(identifier)
    assert journal.intended("send:x") is None
    assert journal.ever_intended("send:x") is not None


def test_a_refusal_waits_until_it_is_told(journal: Journal) -> None:
    """Whoever comes next can tell the person what was not sent."""
    identifier = put(journal)
    journal.settle(identifier, receipt=None, refused="may_not")
    assert ["may_not"] == [promised.refused for promised in journal.refusals()]
    journal.report(identifier)
    assert () == journal.refusals()


def test_the_newest_of_one_intent_is_found(journal: Journal) -> None:
    """An older one is another wish that was never told."""
    put(journal)
    second = put(journal)
    found = journal.intended("send:x")
    assert found is not None
    assert second == found.id


def test_a_settled_promise_keeps_the_bytes_that_were_accepted(journal: Journal) -> None:
    """Sealing again is for what was refused; what has its receipt stays as it is."""
    identifier = put(journal)
    journal.replace_body(identifier, b"sealed again")
    journal.settle(identifier, receipt=b"receipt", refused=None)
    journal.replace_body(identifier, b"something else")
    promised = journal.promised(identifier)
    assert promised is not None
    assert b"sealed again" == promised.body


def test_payloads_find_their_files_when_the_home_has_moved(tmp_path: Path) -> None:
    """A restored or renamed home folder still knows what it was going to send."""
    journal = Journal(tmp_path / "old")
    identifier = put(journal)
    journal.put_payloads([payload(journal, identifier)])
    journal.close()
    (tmp_path / "old").rename(tmp_path / "new")
    journal = Journal(tmp_path / "new")
    (row,) = journal.payloads(identifier)
    spooled = journal.spooled()
    journal.close()
    assert b"sealed" == row.spool.read_bytes()
    assert {row.spool} == spooled


def test_settled_payloads_go_and_so_do_their_files(journal: Journal) -> None:
    """Nothing is kept that nobody waits for."""
    identifier = put(journal)
    row = payload(journal, identifier)
    journal.put_payloads([row])
    journal.save_upload(row.p, url="/v1/uploads/x", done=True)
    assert [("/v1/uploads/x", True)] == [(kept.url, kept.done) for kept in journal.payloads(identifier)]
    journal.drop_payloads(identifier)
    assert () == journal.payloads(identifier)
    assert not row.spool.exists()


def test_heads_that_were_promised_are_asked_for_once(journal: Journal) -> None:
    """The first word on a position is the one that is checked."""
    journal.expect_head("case", 3, "first")
    journal.expect_head("case", 3, "second")
    journal.expect_head("case", 9, "later")
    assert {3: "first"} == journal.expected_heads("case", upto=5)
    journal.drop_expected_heads("case", upto=5)
    assert {9: "later"} == journal.expected_heads("case", upto=9)


@pytest.mark.parametrize(
    ("receipt", "refused", "told", "left"),
    [
        (b"receipt", None, True, 0),
        (None, "may_not", True, 0),
        (b"receipt", None, False, 1),
        (None, "may_not", False, 1),
        (None, None, True, 1),
    ],
)
def test_only_what_was_settled_and_told_is_forgotten(
    journal: Journal,
    receipt: bytes | None,
    refused: str | None,
    told: bool,  # noqa: FBT001  # a column of the table
    left: int,
) -> None:
    """The journal does not grow with every message, and forgets nothing that somebody waits for."""
    identifier = put(journal, created_ms=10)
    journal.settle(identifier, receipt=receipt, refused=refused)
    if told:
        journal.report(identifier)
    journal.prune(before_ms=10)
    assert journal.promised(identifier) is not None
    journal.prune(before_ms=11)
    assert left == (journal.promised(identifier) is not None)
