"""The SMTP session from outside: through real sockets, by real clients, and by those who say exactly what they like."""

import asyncio
import contextlib
import io
import logging
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from tests.bridge.certificates import Authority
from tests.bridge.mailservers import postfix, program
from tests.bridge.receiver import CASE, DOMAIN, SECRET, FileReception, Wire, served, served_apart
from vetrelay.bridge.receiving.data import LINE_BYTES
from vetrelay.errors import Fault
from vetrelay.telemetry import set_up_logs

MB = 1_000_000


@pytest.fixture
async def reception(tmp_path: Path) -> FileReception:
    """A reception that takes letters for one case."""
    return FileReception(tmp_path / "letters")


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """What was logged so far, as the bridge logs it."""
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    set_up_logs(as_json=True)
    yield stderr.getvalue
    structlog.reset_defaults()


async def output_of(*command: str) -> str:
    """What a program says; it must end well."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert 0 == process.returncode, said.decode()
    return said.decode()


async def swaks(where: str, *options: str) -> str:
    """A whole transaction by swaks."""
    return await output_of(program("swaks"), "--server", where, "--from", "a@vet.example", "--to", CASE, *options)


# --- what peers are told ----------------------------------------------------------------------------------------------


async def test_swaks_brings_a_letter_byte_by_byte(reception: FileReception, tmp_path: Path) -> None:
    """What swaks sends is what lies in the file, with dots at the beginnings of lines."""
    letter = tmp_path / "letter"
    letter.write_bytes(b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\nTail\r\n")
    async with served(reception) as listening:
        said = await swaks(listening.listens[0], "--data", f"@{letter}")

    assert "<-  250 2.0.0" in said
    assert reception.letters()[0].startswith(letter.read_bytes())
    assert [] == reception.left_over()


async def test_what_is_offered_is_what_is_kept(reception: FileReception) -> None:
    """No PIPELINING, no CHUNKING, no AUTH, no name of a product; and nothing beyond a host's name for HELO."""
    async with served(reception, letter_bytes=1234) as listening:
        wire = await Wire.to(listening.listens[0])
        greeting = await wire.hear()
        extended = await wire.say("EHLO client.example")
        plain = await wire.say("HELO client.example")

    assert f"220 mail.{DOMAIN} ESMTP" == greeting
    assert [f"mail.{DOMAIN}", "SIZE 1234", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"] == [
        line[4:] for line in extended.splitlines()
    ]
    assert f"250 mail.{DOMAIN}" == plain


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("", "500 5.5.2"),
        ("FOO bar", "500 5.5.2"),
        ("caf\u00e9", "500 5.5.2"),
        ("NOOP " + "x" * 3000, "500 5.5.2"),
        ("x" * 200_000, "500 5.5.2"),
        ("BDAT 10 LAST", "500 5.5.2"),
        ("EHLO", "501 5.5.4"),
        ("VRFY root", "502 5.5.1"),
        ("EXPN staff", "502 5.5.1"),
        ("HELP", "502 5.5.1"),
        ("AUTH PLAIN AGEAYg==", "502 5.5.1"),
        ("STARTTLS", "502 5.5.1"),
        ("NOOP", "250 2.0.0"),
        ("RSET", "250 2.0.0"),
        ("RCPT TO:<a@b>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("DATA now", "501 5.5.4"),
        ("MAIL TO:<a@b>", "501 5.5.4"),
        ("MAIL FROM:<a@b> SIZE=many", "501 5.5.4"),
        ("MAIL FROM:<a@b", "501 5.5.4"),
        ("MAIL FROM:<nobody>", "553 5.1.7"),
        (b"MAIL FROM:<\xff\xfe@b>\r\n", "501 5.5.4"),
        ("MAIL FROM:<a@b> SIZE=60000000", "552 5.3.4"),
        ("QUIT", "221 2.0.0"),
    ],
)
async def test_every_reply_has_its_enhanced_code(reception: FileReception, said: str | bytes, heard: str) -> None:
    """RFC 2034, also where aiosmtpd itself answers; and no reply quotes what was said."""
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        reply = await wire.say(said)

    assert reply.startswith(f"{heard} "), reply
    assert "FOO" not in reply


async def test_row_12_parameters_that_we_do_not_know_are_read_over(reception: FileReception) -> None:
    """RET, ENVID, AUTH, BODY and SMTPUTF8 at MAIL, NOTIFY and ORCPT at RCPT; SIZE is understood."""
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        mail = await wire.say(
            "MAIL FROM:<a@vet.example> SIZE=99 RET=HDRS ENVID=Q+2Bx AUTH=<> BODY=8BITMIME SMTPUTF8 X-NEW"
        )
        rcpt = await wire.say(f"RCPT TO:<{CASE}> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;case+40x@{DOMAIN}")

    assert ("250 2.1.0 Sender ok", "250 2.1.5 Recipient ok") == (mail, rcpt)
    assert ("a@vet.example", 99) == reception.begun[0][1:]


async def test_the_null_sender_is_an_empty_string(reception: FileReception) -> None:
    """A bounce has no sender, and is a transaction all the same."""
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.at_data(sender="")
        reply = await wire.say(b"Text\r\n.\r\n")

    assert reply.startswith("250 ")
    ((arriving, _),) = reception.taken
    assert "" == arriving.mail_from


async def test_a_recipient_is_asked_for_once_in_lower_case(reception: FileReception) -> None:
    """However a server writes it, and however often it names it."""
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.say("MAIL FROM:<a@vet.example>")
        for recipient in (CASE.upper(), CASE, f"@relay.example:{CASE}"):
            assert (await wire.say(f"RCPT TO:<{recipient}>")).startswith("250 2.1.5")
        await wire.say("DATA")
        await wire.say(b".\r\n")

    assert [CASE] == [recipient for _, recipient in reception.asked]
    ((arriving, _),) = reception.taken
    assert (CASE,) == arriving.recipients
    assert "client.example" == arriving.peer.helo


async def test_a_letter_for_nobody_is_not_begun(reception: FileReception) -> None:
    """DATA after refused recipients only is 554."""
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.say("MAIL FROM:<a@vet.example>")
        await wire.say(f"RCPT TO:<nobody@{DOMAIN}>")
        reply = await wire.say("DATA")

    assert reply.startswith("554 5.5.1")


@pytest.mark.parametrize("recipient", ["a@b.example", f'"a@b"@{DOMAIN}', f"a%b@{DOMAIN}", "@x.example:a@b.example"])
async def test_row_14_nothing_is_relayed(reception: FileReception, recipient: str) -> None:
    """Foreign addresses, also those hidden in a quoted local part, behind a percent sign, or in a source route."""
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.say("MAIL FROM:<a@vet.example>")
        reply = await wire.say(f"RCPT TO:<{recipient}>")

    assert reply.startswith("550 5."), reply


async def test_more_recipients_than_allowed_go_into_another_letter(tmp_path: Path) -> None:
    """452 4.5.3, and the letter to the first ones goes through."""

    class Everybody(FileReception):
        async def may_reach(self, peer: object, recipient: str) -> None:
            pass

    reception = Everybody(tmp_path / "letters")
    async with served(reception, recipients=2) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.say("MAIL FROM:<a@vet.example>")
        replies = [await wire.say(f"RCPT TO:<{name}@{DOMAIN}>") for name in "abc"]
        await wire.say("DATA")
        reply = await wire.say(b".\r\n")

    assert ["250", "250", "452"] == [one[:3] for one in replies]
    assert reply.startswith("250 ")


async def test_row_13_the_sixth_wrong_recipient_ends_the_session(reception: FileReception) -> None:
    """Five are told that there is nobody, all in the same words."""
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.say("MAIL FROM:<a@vet.example>")
        replies = [await wire.say(f"RCPT TO:<case+{guess}@{DOMAIN}>") for guess in range(6)]
        ended = await wire.ended()

    assert ["550 5.1.1 No such recipient here"] * 5 == replies[:5]
    assert replies[5].startswith("421 4.7.0 ")
    assert ended


async def test_a_session_brings_only_so_many_letters(reception: FileReception) -> None:
    """Then 421 at MAIL; all before it are taken."""
    async with served(reception, letters_per_session=2) as listening:
        wire = await Wire.greeted(listening.listens[0])
        for _ in range(2):
            assert (await wire.letter()).startswith("250 ")
        reply = await wire.say("MAIL FROM:<a@vet.example>")
        ended = await wire.ended()

    assert reply.startswith("421 4.7.0 ")
    assert ended
    assert 2 == len(reception.taken)


async def test_a_domain_that_must_use_tls_is_refused_in_clear(reception: FileReception) -> None:
    """530 5.7.0 at MAIL, for the domain and those below it; not for one whose name only ends alike."""
    async with served(reception, require_tls_from=("vet.example",)) as listening:
        wire = await Wire.greeted(listening.listens[0])
        replies = [
            await wire.say(f"MAIL FROM:<a@{name}>") for name in ("vet.example", "x.VET.example", "otvet.example")
        ]

    assert ["530 5.7.0", "530 5.7.0", "250 2.1.0"] == [reply[:9] for reply in replies]


# --- DATA -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("half", [False, True])
async def test_row_03_a_connection_that_closes_behind_the_dot_leaves_a_whole_letter_or_none(
    reception: FileReception,
    half: bool,  # noqa: FBT001  # a parameter
) -> None:
    """Half closed: the answer is still heard. Closed: the commit runs to its end all the same."""
    reception.commit_seconds = 0.2
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.at_data()
        if half:
            await wire.put(b"Text\r\n.\r\n")
            wire.writer.write_eof()
            assert (await wire.hear()).startswith("250 ")
            assert await wire.ended()
        else:
            await wire.put(b"Text\r\n.\r\n")
            await reception.committing.wait()
            await wire.close()

    assert [b"Text\r\n"] == reception.letters()
    assert [] == reception.left_over()


@pytest.mark.parametrize("last", [b"", b".", b".\r"])
async def test_row_03_a_connection_that_closes_before_the_dot_leaves_nothing(
    reception: FileReception, last: bytes
) -> None:
    """Not even when a single byte is missing."""
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.at_data()
        await wire.put(b"Text\r\n" + last)
        wire.writer.write_eof()
        assert await wire.ended()

    assert [] == reception.taken
    assert [] == reception.left_over()


async def test_a_connection_that_is_reset_in_the_middle_leaves_nothing(reception: FileReception) -> None:
    """RST instead of an end."""
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.at_data()
        await wire.put(b"x" * 100_000)
        raw: socket.socket = wire.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        wire.writer.transport.abort()
        while listening.desk.sessions:  # noqa: ASYNC110  # only the server's own loop ends them
            await asyncio.sleep(0.01)

    assert [] == reception.left_over()


async def test_row_04_a_commit_slower_than_every_clock_is_answered(reception: FileReception) -> None:
    """No clock runs while it is we who are awaited: neither that of silence nor that of the session."""
    reception.commit_seconds = reception.reach_seconds = 1.0
    async with served(reception, idle_seconds=0.4, session_seconds=2.0) as listening:
        wire = await Wire.greeted(listening.listens[0])
        reply = await wire.letter()
        last = await wire.hear()

    assert reply.startswith("250 ")
    assert last in {"", "421 4.4.2 This session has lasted too long, connect again"}
    assert 1 == len(reception.taken)


async def test_row_05_a_slow_letter_is_taken_as_long_as_it_moves(reception: FileReception) -> None:
    """Longer in all than a silence may be."""
    async with served(reception, idle_seconds=1.5) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.at_data()
        for _ in range(10):
            await wire.put("A line")
            await asyncio.sleep(0.2)
        reply = await wire.say(b".\r\n")

    assert reply.startswith("250 ")


@pytest.mark.parametrize("at_data", [False, True])
async def test_row_05_silence_ends_a_session(reception: FileReception, at_data: bool) -> None:  # noqa: FBT001  # a parameter
    """421 4.4.2, between commands and inside of a letter, of which nothing stays."""
    async with served(reception, idle_seconds=0.4) as listening:
        wire = await Wire.greeted(listening.listens[0])
        if at_data:
            await wire.at_data()
            await wire.put("A line")
        reply = await wire.hear()
        ended = await wire.ended()

    assert reply.startswith("421 4.4.2 ")
    assert ended
    assert [] == reception.left_over()


async def test_a_session_lasts_only_so_long_however_busy_it_is(reception: FileReception) -> None:
    """421 4.4.2 after its time."""
    async with served(reception, session_seconds=0.6) as listening:
        wire = await Wire.greeted(listening.listens[0])
        reply = ""
        while not reply.startswith("421"):
            reply = await wire.say("NOOP")
            await asyncio.sleep(0.05)

    assert reply.startswith("421 4.4.2 ")


async def test_a_letter_over_the_limit_is_refused_behind_its_dot(reception: FileReception) -> None:
    """552 5.3.4 with the place where large files go, and the session goes on."""
    async with served(reception, letter_bytes=100_000) as listening:
        wire = await Wire.greeted(listening.listens[0])
        reply = await wire.letter((b"x" * 70 + b"\r\n") * 2000)
        after = await wire.letter()

    assert reply.startswith("552 5.3.4 ")
    assert "https://mail.post.example/u" in reply
    assert after.startswith("250 ")
    assert [] == reception.left_over()


async def test_row_06_an_endless_line_is_cut_off_and_costs_no_memory(tmp_path: Path) -> None:
    """A gigabyte without a line's end: closed at twice the limit, and what the process holds stays as it was."""
    with served_apart(tmp_path / "letters") as apart:
        wire = await Wire.greeted(apart.where)
        await wire.letter()
        await wire.at_data()
        before = apart.mebibytes()
        apart.forget_most()
        sent, piece = 0, b"x" * MB
        with contextlib.suppress(ConnectionError):
            while sent < 1000:
                await wire.put(piece)
                sent += 1
        grown = apart.most_mebibytes() - before

    print(f"\n{sent} MB sent, {grown:.1f} MiB grown")
    assert 104 <= sent < 130
    assert grown < 20
    assert [] == list((tmp_path / "letters" / "tmp").iterdir())


async def test_row_07_twenty_large_letters_at_once_cost_little_memory(tmp_path: Path) -> None:
    """20 letters of 50 MB in parallel, all taken, in less than 200 MB."""
    with served_apart(tmp_path / "letters") as apart:
        await output_of(
            program("smtp-source"),
            "-s",
            "20",
            "-m",
            "20",
            "-l",
            str(50 * MB),
            "-f",
            "a@b.example",
            "-t",
            CASE,
            apart.where,
        )
        most = apart.most_mebibytes()
        sizes = {letter.stat().st_size // MB for letter in apart.letters()}

    print(f"\n{most:.1f} MiB at most")
    assert {50} == sizes
    assert most < 200


async def test_lines_of_64_kib_are_taken_and_longer_ones_are_refused(reception: FileReception) -> None:
    """Counted, never held; and the session goes on."""
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        replies = [await wire.letter(b"x" * length + b"\r\n") for length in (LINE_BYTES, LINE_BYTES + 1)]
        after = await wire.letter()

    assert ["250 2.0.0", "550 5.6.0", "250 2.0.0"] == [reply[:9] for reply in (*replies, after)]
    assert [] == reception.left_over()


HOOKS = ("may_begin", "may_reach", "begin", "write", "commit")


@pytest.mark.parametrize("hook", HOOKS)
async def test_row_08_an_exception_in_a_hook_is_451_and_says_nothing(
    reception: FileReception, hook: str, logged: Callable[[], str]
) -> None:
    """The peer tries again later; the log has the number it was told, and the place; afterwards all works."""
    reception.broken.add(hook)
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        replies = [await wire.say(line) for line in ("MAIL FROM:<a@vet.example>", f"RCPT TO:<{CASE}>", "DATA")]
        if replies[-1].startswith("354"):
            replies.append(await wire.say(b"Text\r\n.\r\n"))
        failed = next(reply for reply in replies if reply.startswith("4"))
        reception.broken.clear()
        await wire.say("RSET")
        after = await wire.letter()
    log = logged()

    assert failed.startswith("451 4.3.0 Temporary failure, try later (")
    assert failed.rpartition("(")[2].rstrip(")") in log
    assert SECRET not in "".join(replies) + log
    assert "RuntimeError" not in "".join(replies)
    assert after.startswith("250 ")
    assert [] == reception.left_over()


async def test_row_08_a_hook_that_never_answers_is_451(reception: FileReception) -> None:
    """After its own time, which is not that of silence."""
    reception.reach_seconds = 60
    async with served(reception, hook_seconds=0.3, idle_seconds=20) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.say("MAIL FROM:<a@vet.example>")
        reply = await wire.say(f"RCPT TO:<{CASE}>")

    assert reply.startswith("451 4.3.0 ")


async def test_row_08_an_abort_that_fails_changes_no_answer(reception: FileReception) -> None:
    """The letter is refused for what it is."""
    reception.broken.add("abort")
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        reply = await wire.letter(b"bare\nfeed\r\n")

    assert reply.startswith("550 5.6.0 ")


@pytest.mark.parametrize("hook", ["begin", "write"])
async def test_row_39_a_full_disk_is_452(reception: FileReception, hook: str) -> None:
    """452 4.3.1, before 354 or behind the dot; nothing of the letter stays, and it goes on when there is room."""
    reception.full.add(hook)
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        for line in ("MAIL FROM:<a@vet.example>", f"RCPT TO:<{CASE}>"):
            await wire.say(line)
        reply = await wire.say("DATA")
        if reply.startswith("354"):
            reply = await wire.say(b"Text\r\n.\r\n")
        reception.full.clear()
        after = await wire.letter()

    assert reply.startswith("452 4.3.1 ")
    assert after.startswith("250 ")
    assert [] == reception.left_over()


SMUGGLED = (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n\x00.\r\n")
SECOND = b"MAIL FROM:<spoofed@vet.example>\r\nRCPT TO:<" + CASE.encode() + b">\r\nDATA\r\nSecond\r\n.\r\n"


@pytest.mark.parametrize("treatment", ["refuse", "normalize"])
@pytest.mark.parametrize("end", SMUGGLED)
async def test_row_09_a_look_alike_of_the_end_never_makes_two_letters(
    reception: FileReception, end: bytes, treatment: str
) -> None:
    """One letter or 550, and what stands behind the look-alike is content, never a command."""
    async with served(reception, bare_line_feeds=treatment) as listening:
        wire = await Wire.greeted(listening.listens[0])
        reply = await wire.letter(b"Subject: a\r\n\r\nFirst" + end + SECOND.removesuffix(b".\r\n"))
        senders = {sender for _, sender, _ in reception.begun}

    taken = reception.letters()
    if treatment == "refuse" and end != b"\r\n\x00.\r\n":
        assert reply.startswith("550 5.6.0 ")
        assert [] == taken
    else:
        assert reply.startswith("250 ")
        assert 1 == len(taken)
        assert b"spoofed@vet.example" in taken[0]
        assert b"\n" not in taken[0].replace(b"\r\n", b"")
    assert {"clinic@vet.example"} == senders
    assert [] == reception.left_over()


async def test_row_09_a_copy_relayed_by_postfix_is_the_same_letter(reception: FileReception) -> None:
    """Dots, an empty line, eight bits and a long line, through a real server and its own line handling."""
    body = b"Subject: dots\r\nFrom: <a@vet.example>\r\n\r\n.\r\n..\r\n\r\n.a\r\n" + b"\xc3\xa9" + b"x" * 900 + b"\r\n"
    async with served(reception) as listening:
        host, _, port = listening.listens[0].rpartition(":")
        with postfix(f"smtp:[{host}]:{port}") as relay:
            wire = await Wire.greeted(relay)
            assert (await wire.letter(body.replace(b"\r\n.", b"\r\n.."))).startswith("250 ")
            while not reception.taken:  # noqa: ASYNC110  # Postfix has no event for us
                await asyncio.sleep(0.05)

    (letter,) = reception.letters()
    assert body.partition(b"\r\n\r\n")[2] == letter.partition(b"\r\n\r\n")[2]


async def test_row_10_what_follows_the_dot_is_thrown_away(reception: FileReception) -> None:
    """The letter is answered, the session ends, and nothing behind the dot is executed."""
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        reply = await wire.letter(b"First\r\n.\r\n" + SECOND)
        ended = await wire.ended()

    assert reply.startswith("250 ")
    assert ended
    assert [b"First\r\n"] == reception.letters()
    assert ["clinic@vet.example"] == [sender for _, sender, _ in reception.begun]


async def test_row_10_what_follows_during_the_commit_is_thrown_away_too(reception: FileReception) -> None:
    """However late it comes: before the answer is too early."""
    reception.commit_seconds = 0.3
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.at_data()
        await wire.put(b"First\r\n.\r\n")
        await reception.committing.wait()
        reply = await wire.say(SECOND)
        ended = await wire.ended()

    assert reply.startswith("250 ")
    assert ended
    assert 1 == len(reception.taken)


async def test_unknown_commands_are_heard_only_so_often(reception: FileReception) -> None:
    """Then 421, and what was sent along is not executed."""
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.put(*["FOO"] * 8, "MAIL FROM:<late@vet.example>")
        heard = (await wire.reader.read()).decode()

    assert heard.splitlines()[-1].startswith("421 4.7.0 ")
    assert [] == reception.begun


# --- TLS --------------------------------------------------------------------------------------------------------------


async def test_row_11_a_letter_over_tls_and_no_second_starttls(reception: FileReception, tmp_path: Path) -> None:
    """swaks verifies the certificate; the letter's peer is marked as encrypted."""
    authority = Authority(tmp_path)
    certificate = authority.certificate("127.0.0.1")
    async with served(reception, tls=certificate.context, require_tls_from=("vet.example",)) as listening:
        said = await swaks(listening.listens[0], "--tls", "--tls-verify", "--tls-ca-path", str(authority.path))
        wire = await Wire.greeted(listening.listens[0])
        assert (await wire.say("STARTTLS")).startswith("220 2.0.0 ")
        await wire.writer.start_tls(authority.trust, server_hostname="127.0.0.1")
        before_ehlo = await wire.say("MAIL FROM:<a@vet.example>")
        offered = await wire.say("EHLO client.example")
        second = await wire.say("STARTTLS")
        reply = await wire.letter(b"x" * 60_000 + b"\r\n")
        await wire.say("QUIT")
        await wire.close()

    assert "~> MAIL FROM" in said
    assert before_ehlo.startswith("503 5.5.1 ")
    assert second.startswith("503 5.5.1 ")
    assert "STARTTLS" not in offered
    assert "AUTH" not in offered
    assert reply.startswith("250 ")
    assert [True, True] == [arriving.peer.tls for arriving, _ in reception.taken]


async def test_row_11_tls_works_on_the_loop_that_the_bridge_runs_on(tmp_path: Path) -> None:
    """uvloop has its own TLS: letters, a failed handshake, something slipped in, and a good letter after all of it."""
    certificate = Authority(tmp_path).certificate("127.0.0.1")
    settings = (f"chain={certificate.chain}", f"key={certificate.key}", "connections=1")
    with served_apart(tmp_path / "letters", *settings) as apart:
        await swaks(apart.where, "--tls")
        for said in (b"STARTTLS\r\nMAIL FROM:<slipped@vet.example>\r\n", b"STARTTLS\r\n"):
            wire = await Wire.greeted(apart.where)
            heard = await wire.say(said)
            await wire.put(b"no TLS at all\r\n")
            assert heard.startswith(("421 ", "220 "))
            assert await wire.ended()
            await wire.close()
        # There is room for one connection, so each of those before has left it.
        await swaks(apart.where, "--tls")

        assert 2 == len(apart.letters())


async def test_row_11_what_is_slipped_in_behind_starttls_is_not_executed(
    reception: FileReception, tmp_path: Path
) -> None:
    """Bytes before the handshake: answered, thrown away, closed."""
    tls = Authority(tmp_path).certificate("127.0.0.1").context
    async with served(reception, tls=tls) as listening:
        wire = await Wire.greeted(listening.listens[0])
        reply = await wire.say(b"STARTTLS\r\nMAIL FROM:<slipped@vet.example>\r\n")
        ended = await wire.ended()

    assert reply.startswith("421 ")
    assert ended
    assert [] == reception.begun


async def test_row_11_what_was_said_before_tls_is_forgotten(reception: FileReception, tmp_path: Path) -> None:
    """A sender named in clear is none afterwards."""
    authority = Authority(tmp_path)
    async with served(reception, tls=authority.certificate("127.0.0.1").context) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.say("MAIL FROM:<a@vet.example>")
        await wire.say("STARTTLS")
        await wire.writer.start_tls(authority.trust, server_hostname="127.0.0.1")
        await wire.say("EHLO client.example")
        reply = await wire.say(f"RCPT TO:<{CASE}>")
        await wire.close()

    assert reply.startswith("503 5.5.1 ")


async def test_a_handshake_that_fails_leaves_no_connection_behind(reception: FileReception, tmp_path: Path) -> None:
    """Whether the peer speaks no TLS or goes away: its place is free again."""
    tls = Authority(tmp_path).certificate("127.0.0.1").context
    async with served(reception, tls=tls) as listening:
        for said in (b"no TLS at all\r\n", b""):
            wire = await Wire.greeted(listening.listens[0])
            await wire.say("STARTTLS")
            await wire.put(said)
            await wire.close()
        while listening.desk.sessions:  # noqa: ASYNC110  # only the server's own loop ends them
            await asyncio.sleep(0.01)

        assert 0 == listening.desk.connections.count


# --- many -------------------------------------------------------------------------------------------------------------

CROWD = """
import resource, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
wanted, host, port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
held = []
for number in range(min(wanted, hard - 100)):
    one = socket.socket()
    one.bind((f"127.0.{1 + number // 250}.{1 + number % 250}", 0))
    one.settimeout(20)
    one.connect((host, port))
    held.append(one)
said = [one.recv(4) for one in held]
print(len(held), said.count(b"220 "), said.count(b"421 "), flush=True)
sys.stdin.read()
"""


async def test_row_15_a_crowd_is_refused_and_the_next_one_is_served(tmp_path: Path) -> None:
    """5000 connections from as many addresses: 200 are let in, the rest hears 421; when one goes, another comes in."""
    with served_apart(tmp_path / "letters") as apart:
        host, _, port = apart.where.rpartition(":")
        crowd = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", CROWD, "5000", host, port),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert crowd.stdin is not None
        assert crowd.stdout is not None
        count, let_in, refused = map(int, (await crowd.stdout.readline()).split())
        outside = await Wire.to(apart.where)
        heard = await outside.hear()
        crowd.stdin.close()
        await crowd.wait()
        reply = ""
        while not reply.startswith("220 "):
            wire = await Wire.to(apart.where)
            reply = await wire.hear()
        await wire.say("EHLO client.example")
        answer = await wire.letter()

    assert 200 == let_in
    assert count - 200 == refused
    assert heard.startswith("421 4.3.2 ")
    assert answer.startswith("250 ")


async def test_row_15_one_peer_has_only_its_share(reception: FileReception) -> None:
    """421 4.7.0 for it, while another peer is served."""
    async with served(reception, connections_per_address=3) as listening:
        wires = [await Wire.to(listening.listens[0]) for _ in range(4)]
        heard = [(await wire.hear())[:9] for wire in wires]
        host, _, port = listening.listens[0].rpartition(":")
        other = Wire(*await asyncio.open_connection(host, int(port), local_addr=("127.0.0.9", 0)))
        await other.hear()
        await other.say("EHLO other.example")
        answer = await other.letter()

    assert ["421 4.7.0"] == [one for one in heard if one.startswith("421")]
    assert answer.startswith("250 ")


async def test_row_42_nothing_is_lost_under_load(tmp_path: Path) -> None:
    """Twenty sessions at once, every 250 a file."""
    with served_apart(tmp_path / "letters") as apart:
        await output_of(
            program("smtp-source"), "-s", "20", "-m", "400", "-l", "20000", "-f", "a@b.example", "-t", CASE, apart.where
        )

        assert 400 == len(apart.letters())


# --- the listener -----------------------------------------------------------------------------------------------------


async def test_no_log_names_an_address_even_where_everything_is_logged(
    reception: FileReception, caplog: pytest.LogCaptureFixture, logged: Callable[[], str]
) -> None:
    """Neither aiosmtpd's own logger nor ours tells who writes to whom, nor what."""
    caplog.set_level(logging.DEBUG)
    async with served(reception) as listening:
        wire = await Wire.greeted(listening.listens[0])
        await wire.letter(b"Canary words\r\n")
        await wire.say("UNHEARDOF canary@vet.example")
        reception.broken.add("may_reach")
        await wire.say("MAIL FROM:<canary@vet.example>")
        await wire.say(f"RCPT TO:<{CASE}>")
    log = caplog.text + logged()

    assert "smtp.failed" in log
    for word in ("vet.example", "case+", "Canary", "UNHEARDOF", "127.0.0.1", SECRET):
        assert word not in log


async def test_a_listener_that_stops_answers_what_it_has_committed(reception: FileReception) -> None:
    """The letter under way is taken and answered, the others hear 421, and nobody new is let in."""
    reception.commit_seconds = 0.3
    async with served(reception) as listening:
        idle = await Wire.greeted(listening.listens[0])
        busy = await Wire.greeted(listening.listens[0])
        await busy.at_data()
        await busy.put(b"Text\r\n.\r\n")
        await reception.committing.wait()
        await listening.close()
        heard = await idle.hear(), await busy.hear(), await busy.hear()
        with pytest.raises(OSError, match=r"[Cc]onnect"):
            await Wire.to(listening.listens[0])

    assert ["421 4.3.2", "250 2.0.0", "421 4.3.2"] == [one[:9] for one in heard]
    assert 1 == len(reception.taken)


async def test_a_place_that_is_taken_is_a_bad_listen(reception: FileReception) -> None:
    """Said by name, and nothing is left open."""
    async with served(reception) as listening:
        with pytest.raises(Fault) as caught:
            async with served(reception, listen=(listening.listens[0],)):
                pass

    assert "bad_listen" == caught.value.code
