"""One try to hand one letter to one host by SMTP (RFC 5321), and what became of it.

A connection is *verified* when the certificate is the one the operator pinned, or when it is valid for the host's name
and that name is sure (route.py says which are). A letter that demands it, and every letter on a route that is to be
verified, is not begun without it. The peer's words are read for its codes only; they go nowhere.
"""

import hashlib
import hmac
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import aiosmtplib
from aiosmtplib.email import quote_address
from aiosmtplib.protocol import normalize_message_line_endings

from vetrelay.bridge.ports import DepartureId
from vetrelay.bridge.sending.bounce import enhanced_code
from vetrelay.bridge.sending.outcome import Handed, Later, Outcome, Refused, TlsUnverified
from vetrelay.bridge.sending.route import Hop
from vetrelay.bridge.store.spool import no_checkpoint

SLOWEST_BYTES_A_SECOND: Final = 64 * 1024
_QUEUE_ID: Final = re.compile(r"(?:queued as|id=)\s*<?([A-Za-z0-9.-]{1,64})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a peer may take, in seconds (RFC 5321, 4.5.3.2)."""

    connect_seconds: float = 30
    command_seconds: float = 300
    letter_seconds: float = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How we speak to every peer: the name we greet with, and whose certificates we believe."""

    hostname: str
    trust: ssl.SSLContext
    timeouts: Timeouts = field(default_factory=Timeouts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enveloped:
    """A letter, signed and whole, with what its envelope says. `departure` is what a delivery report calls it."""

    departure: DepartureId
    mail_from: str
    recipient: str
    letter: bytes
    demands_tls: bool


class _Stopped(Exception):
    """The try ends here. Never leaves this module."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


async def hand_over(
    sent: Enveloped, hop: Hop, *, voice: Voice, checkpoint: Callable[[str], None] = no_checkpoint
) -> Outcome:
    """Tries once. Raises nothing: whatever goes wrong is an outcome.

    Crash points: "before_data" when the recipient was accepted, "after_250" when the peer has taken the letter.
    """
    if not all(quote_address(address) == f"<{address}>" for address in (sent.mail_from, sent.recipient)):
        return Refused(code=553, enhanced="5.1.3")  # the library would say another address than we mean
    if sent.demands_tls and not hop.can_be_verified:
        return TlsUnverified(offered=False)
    client = aiosmtplib.SMTP(
        hostname=hop.address,
        port=hop.port,
        local_hostname=voice.hostname,
        start_tls=False,
        use_tls=hop.implicit_tls,
        tls_context=_context(sent, hop, voice),
        timeout=voice.timeouts.command_seconds,
    )
    try:
        await _connect(client, sent, hop, voice)
        await _log_in(client, hop)
        return await _say(client, sent, voice, checkpoint)
    except _Stopped as stopped:
        return stopped.outcome
    except aiosmtplib.SMTPResponseException as response:
        return _said_no(response)
    except (aiosmtplib.SMTPException, OSError):
        return Later(trouble="no_answer")
    except ValueError:  # an address in letters that the peer does not take
        return Refused(code=553, enhanced="5.1.3")
    finally:
        client.close()


async def _connect(client: aiosmtplib.SMTP, sent: Enveloped, hop: Hop, voice: Voice) -> None:
    """To the end of the EHLO that counts: inside TLS if that is to be had. Raises _Stopped without what must be."""
    must = _must_verify(sent, hop)
    try:
        await client.connect(timeout=voice.timeouts.connect_seconds)
    except ssl.SSLError as failed:
        raise _Stopped(TlsUnverified(offered=True) if must else Later(trouble="tls")) from failed
    except aiosmtplib.SMTPConnectResponseError as busy:
        raise _Stopped(Later(trouble="put_off", code=busy.code, enhanced=enhanced_code(busy.message))) from busy
    except (aiosmtplib.SMTPException, OSError) as failed:
        if must and isinstance(failed.__cause__, ssl.SSLError):
            raise _Stopped(TlsUnverified(offered=True)) from failed
        raise _Stopped(Later(trouble="no_connection")) from failed
    if not hop.implicit_tls:
        await _greet(client)
        if hop.tls != "off" or must:
            await _start_tls(client, hop, must=must)
    _check_pin(client, hop, must=must)
    await _greet(client)


async def _greet(client: aiosmtplib.SMTP) -> None:
    if not client.is_ehlo_or_helo_needed:
        return
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        try:
            await client.helo()  # RFC 5321, 3.2: a peer older than EHLO
        except aiosmtplib.SMTPHeloError as busy:  # a host that takes nobody's mail: another may
            raise _Stopped(Later(trouble="put_off", code=busy.code, enhanced=enhanced_code(busy.message))) from busy


async def _start_tls(client: aiosmtplib.SMTP, hop: Hop, *, must: bool) -> None:
    if not client.supports_extension("starttls"):
        if must:
            raise _Stopped(TlsUnverified(offered=False))
        return
    try:
        await client.starttls(server_hostname=hop.host)
    except (ssl.SSLError, aiosmtplib.SMTPException, OSError) as failed:
        raise _Stopped(TlsUnverified(offered=True) if must else Later(trouble="tls")) from failed


def _check_pin(client: aiosmtplib.SMTP, hop: Hop, *, must: bool) -> None:
    if not must or hop.pin is None:
        return
    tls: ssl.SSLObject | None = client.get_transport_info("ssl_object")
    certificate = tls.getpeercert(binary_form=True) if tls is not None else None
    fingerprint = hashlib.sha256(certificate or b"").hexdigest()
    if not hmac.compare_digest(fingerprint, hop.pin):
        raise _Stopped(TlsUnverified(offered=tls is not None))


async def _log_in(client: aiosmtplib.SMTP, hop: Hop) -> None:
    if hop.login is None:
        return
    if hop.tls != "off" and client.get_transport_info("sslcontext") is None:
        raise _Stopped(Later(trouble="tls"))  # the password stays here
    try:
        await client.login(hop.login.user, hop.login.password)
    except aiosmtplib.SMTPServerDisconnected:
        raise
    except aiosmtplib.SMTPException as failed:  # ours to mend, so the letter waits for it
        code = failed.code if isinstance(failed, aiosmtplib.SMTPResponseException) else None
        raise _Stopped(Later(trouble="login", code=code)) from failed


async def _say(client: aiosmtplib.SMTP, sent: Enveloped, voice: Voice, checkpoint: Callable[[str], None]) -> Outcome:
    letter = normalize_message_line_endings(sent.letter)
    limit = client.esmtp_extensions.get("size", "")
    if limit.isdigit() and 0 < int(limit) < len(letter):
        return Refused(code=552, enhanced="5.3.4")  # RFC 1870: it would say so after MAIL
    spoken = "utf-8" if not sent.recipient.isascii() and client.supports_extension("smtputf8") else "ascii"
    await client.mail(sent.mail_from, options=_mail_options(client, sent, letter, spoken), encoding=spoken)
    # RFC 3461: SUCCESS is only worth asking for from a peer that can answer.
    notify = ["NOTIFY=SUCCESS,FAILURE,DELAY"] if client.supports_extension("dsn") else []
    await client.rcpt(sent.recipient, options=notify, encoding=spoken)
    checkpoint("before_data")
    try:
        response = await client.data(
            letter, timeout=voice.timeouts.letter_seconds + len(letter) / SLOWEST_BYTES_A_SECOND
        )
    except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, ConnectionError) as lost:
        raise _Stopped(Later(trouble="lost")) from lost
    checkpoint("after_250")
    with suppress(aiosmtplib.SMTPException, OSError):
        if client.protocol is not None:
            client.protocol.write(b"QUIT\r\n")  # nobody waits for the answer: what counts is to write down the 250
    named = _QUEUE_ID.search(response.message)
    return Handed(code=response.code, queue_id=named[1] if named else None)


def _mail_options(client: aiosmtplib.SMTP, sent: Enveloped, letter: bytes, spoken: str) -> list[str]:
    options = []
    if client.supports_extension("size"):
        options.append(f"SIZE={len(letter)}")
    if not letter.isascii() and client.supports_extension("8bitmime"):
        options.append("BODY=8BITMIME")
    if spoken == "utf-8":
        options.append("SMTPUTF8")
    if client.supports_extension("dsn"):
        options += ["RET=HDRS", f"ENVID={sent.departure}"]
    if sent.demands_tls and client.supports_extension("requiretls"):
        options.append("REQUIRETLS")  # RFC 8689: so that the next hop asks for what we asked for
    return options


def _said_no(response: aiosmtplib.SMTPResponseException) -> Outcome:
    enhanced = enhanced_code(response.message)
    if 500 <= response.code < 600:
        return Refused(code=response.code, enhanced=enhanced)
    if 400 <= response.code < 500:
        return Later(trouble="put_off", code=response.code, enhanced=enhanced)
    return Later(trouble="no_answer")


def _must_verify(sent: Enveloped, hop: Hop) -> bool:
    return sent.demands_tls or hop.tls == "verified"


def _context(sent: Enveloped, hop: Hop, voice: Voice) -> ssl.SSLContext:
    """The one that checks certificates where somebody relies on it and no pin stands in for the check."""
    if _must_verify(sent, hop) and hop.pin is None:
        return voice.trust
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
