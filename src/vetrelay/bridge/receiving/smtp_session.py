"""One SMTP session: the letters that come over a connection. MAIL, RCPT, DATA; the numbers are those of smtp_in.py."""

import asyncio

from vetrelay.bridge.ports import Arriving, Incoming, Reply
from vetrelay.bridge.receiving import smtp_replies as say
from vetrelay.bridge.receiving.data import Read, read_letter
from vetrelay.bridge.receiving.smtp_connection import Connection
from vetrelay.bridge.receiving.smtp_path import domain_of, parse_path, size_of


class Session(Connection):
    """A connection that may bring letters."""

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802  # the name aiosmtpd calls
        """RFC 5321 section 4.1.1.2; knows SIZE, and reads over every other parameter (7)."""
        await self.answer(self._mail(arg))

    def _mail(self, arg: str | None) -> Reply:
        assert self.session is not None
        if not self.session.host_name:
            return say.HELLO_FIRST
        if self._sender is not None:
            return say.NESTED
        path = parse_path(arg, "FROM:")
        if path is None:
            return say.BAD_SYNTAX
        if path.address and not domain_of(path.address):
            return say.BAD_SENDER
        try:
            size_bytes = size_of(path)
        except ValueError:
            return say.BAD_SYNTAX
        config, domain = self._desk.config, domain_of(path.address)
        if not self._encrypted and any(f".{domain}".endswith(f".{one}") for one in config.require_tls_from):
            return say.TLS_FIRST
        refused = self._allowance.letter() or self._desk.reception.may_begin(
            self._peer(), path.address, size_bytes=size_bytes
        )
        if refused is not None:
            return refused
        if size_bytes is not None and size_bytes > config.limits.letter_bytes:
            return say.too_large(config.limits.letter_bytes, config.web_url)
        self._sender = path.address
        return say.SENDER_OK

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802  # the name aiosmtpd calls
        """RFC 5321 section 4.1.1.3; parameters are read over (7), wrong guesses are counted (15)."""
        await self.answer(await self._rcpt(arg))

    async def _rcpt(self, arg: str | None) -> Reply:
        if self._sender is None:
            return say.SENDER_FIRST
        path = parse_path(arg, "TO:")
        if path is None:
            return say.BAD_SYNTAX
        recipient = path.address.lower()
        if not recipient:
            return say.BAD_RECIPIENT
        if recipient in self._recipients:
            return say.RECIPIENT_OK
        refused = self._allowance.recipient(len(self._recipients))
        if refused is None:
            with self._unhurried():
                async with asyncio.timeout(self._desk.config.limits.hook_seconds):
                    refused = await self._desk.reception.may_reach(self._peer(), recipient)
        if refused is not None:
            return self._allowance.wrong(refused)
        self._recipients[recipient] = None
        return say.RECIPIENT_OK

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802  # the name aiosmtpd calls
        """RFC 5321 section 4.1.1.4: from 354 to the answer behind the dot."""
        if arg:
            return await self.answer(say.BAD_SYNTAX)
        if self._sender is None:
            return await self.answer(say.SENDER_FIRST)
        if not self._recipients:
            return await self.answer(say.RECIPIENT_FIRST)
        arriving = Arriving(peer=self._peer(), mail_from=self._sender, recipients=tuple(self._recipients))
        self.forget_letter()
        try:
            incoming = self._desk.reception.begin(arriving)
        except Exception as error:  # noqa: BLE001  # (5)
            return await self.answer(self._desk.refused_write(error))
        self._taking = True
        try:
            reply, over = await self._take(incoming)
        finally:
            self._taking = False
        await self.answer(reply)
        if over or self._has_more() or self._reader.at_eof():
            self._end()
        if self._last_words is not None:
            await self.answer(self._last_words)
        return None

    async def _take(self, incoming: Incoming) -> tuple[Reply, bool]:
        """Reads a letter and commits it, or lets nothing of it stay. The answer, and whether the session ends with it."""
        handed = False
        try:
            await self.push("354 End with <CRLF>.<CRLF>")
            read = await read_letter(
                self._reader,
                incoming.write,  # (2)
                most_bytes=self._desk.config.limits.letter_bytes,
                normalize=self._desk.config.bare_line_feeds == "normalize",
                alive=self._reset_timeout,  # (3)
            )
            wrong = self._wrong_with(read)
            handed = wrong is None
            reply = wrong or await self._commit(incoming)
        finally:
            if not handed:
                self._abort(incoming)
        self._allowance.letter_taken()
        return reply, read.followed  # (8)

    def _wrong_with(self, read: Read) -> Reply | None:
        if read.endless:
            return say.ENDLESS
        if not read.ended:
            self._end()
        if read.too_large:
            return say.too_large(self._desk.config.limits.letter_bytes, self._desk.config.web_url)
        if read.bare:
            return say.BARE
        if read.overlong:
            return say.OVERLONG
        return None if read.failed is None else self._desk.refused_write(read.failed)

    async def _commit(self, incoming: Incoming) -> Reply:
        """(3) (4): no clock runs, and nothing that happens to this session stops it."""

        async def commit() -> Reply:
            try:
                return await incoming.commit()  # durable at this instant, if it says so
            except Exception as error:  # noqa: BLE001  # (5)
                return self._desk.failed(error)

        self._committing = True
        task = self.loop.create_task(commit())
        self._desk.commits.add(task)
        task.add_done_callback(self._desk.commits.discard)
        try:
            with self._unhurried():
                return await asyncio.shield(task)
        finally:
            self._committing = False

    def _abort(self, incoming: Incoming) -> None:
        try:
            incoming.abort()
        except Exception as error:  # noqa: BLE001  # the letter's answer stands; the log knows
            self._desk.failed(error)
