"""Collecting: from a case's log, as the journal has it, to jobs in the table."""

from vetrelay.client.end import End
from vetrelay.client.follow import Followed
from vetrelay.client.journal import LogRow
from vetrelay.intake.jobs import Job, JobTable
from vetrelay.protocol.envelope import Envelope, parse_envelope
from vetrelay.protocol.ids import EntryId
from vetrelay.protocol.log import Kind
from vetrelay.protocol.signature import parse_wire


def collect(end: End, jobs: JobTable, followed: Followed) -> tuple[Job, ...]:
    """Takes every envelope with a slip into the job table, once; the new jobs. They are committed when this returns.

    An envelope that this end does not believe is no job: nothing in it would be opened, and no verdict accepted. Nor is
    one whose slip is for other intakes, while one of them is still there; when that changes, all are looked at again.
    """
    new: list[Job] = []
    answered: list[EntryId] = []
    looked_n = jobs.looked_through_n(followed.case)
    is_same = followed.roster_at(looked_n).intakes == followed.roster.intakes
    for row in end.journal.log(followed.case, after=looked_n if is_same else 0):
        envelope = _believed(row)
        if envelope is None:
            continue
        if envelope.class_ == "verdict" and envelope.device == end.device.id and envelope.derived_from is not None:
            answered.append(envelope.derived_from)
        elif envelope.of_role("slip") and not _is_for_others(end, followed, envelope):
            new.append(Job(entry=row.link.entry, case=followed.case, n=row.n, accepted_ms=row.link.time_ms))
    return jobs.take(followed.case, followed.tail.n, jobs=new, answered=answered, now_ms=end.now_ms())


def _is_for_others(end: End, followed: Followed, envelope: Envelope) -> bool:
    meant = followed.roster_at(envelope.view.n).intakes
    return end.keyring.party not in meant and not set(meant).isdisjoint(followed.roster.intakes)


def _believed(row: LogRow) -> Envelope | None:
    if row.link.kind is not Kind.ENVELOPE or row.signed is None or row.fault is not None:
        return None
    return parse_envelope(parse_wire(row.signed))
