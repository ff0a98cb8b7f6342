"""The loop that sends: claims a letter, signs it, hands it over, writes down what became of it, and tells the cases.

Several senders may run on one queue. The order makes a crash harmless: a claim is durable before anything is sent, and
what a peer said is durable before it is told. Only between a peer's 250 and the row that says so may a crash send a
letter again, which is then the same letter: same Message-ID, same envelope sender.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from vetrelay.bridge.ports import Delivery, Departure, DepartureId, DepartureState
from vetrelay.bridge.sending.deliver import deliver
from vetrelay.bridge.sending.departures import DAMAGED, LEASE_MS, Departures
from vetrelay.bridge.sending.dkim_sign import DkimKey, sign
from vetrelay.bridge.sending.outcome import Later, Outcome
from vetrelay.bridge.sending.retry import Patience, Ruling, ruling_on
from vetrelay.bridge.sending.route import Routes
from vetrelay.bridge.sending.smtp_out import Enveloped, Voice
from vetrelay.bridge.store.spool import no_checkpoint
from vetrelay.errors import Fault, VetRelayError
from vetrelay.telemetry import event_log, place_of

PROLONG_SECONDS: Final = LEASE_MS / 3000
AGAIN_SECONDS: Final = 5
"""After something of ours failed (a database that restarts): how long to rest."""
RECORD_TRIES: Final = 60

T = TypeVar("T")
Tell = Callable[[Delivery], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """How the loop beats: its rest after the start, how often it looks by itself, how many letters go at once."""

    start_seconds: float = 10
    look_seconds: float = 5
    parallel_letters: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What the sender sends with. `worker` is this process's name on the queue: no two share one.

    `tell` may be called again for the same delivery (after a crash, or by another sender); it is recorded as told only
    when it has returned. `checkpoint` is called at "claimed", "before_data", "after_250", "recorded" and "told".
    """

    worker: str
    routes: Routes
    voice: Voice
    dkim: DkimKey | None
    bounce_address: Callable[[DepartureId], str]
    tell: Tell
    now_ms: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    patience: Patience
    checkpoint: Callable[[str], None] = no_checkpoint


class Sender:
    """Sends what the queue holds."""

    def __init__(self, departures: Departures, sending: Sending, *, pulse: Pulse | None = None) -> None:
        self._departures = departures
        self._sending = sending
        self._pulse = pulse or Pulse()
        self._letters = asyncio.Event()
        self._tidings = asyncio.Event()
        self._finish = asyncio.Event()

    def wake(self) -> None:
        """There may be something to do: look now."""
        self._letters.set()
        self._tidings.set()

    def finish(self) -> None:
        """No further letter; `run` returns when those on their way are through."""
        self._finish.set()
        self.wake()

    async def run(self) -> None:
        """The loop, until `finish`. Cancelled, it leaves a letter on its way to be sent again after its lease."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pulse.start_seconds):
                await self._finish.wait()
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self._send_all())
            group.create_task(self._tell_until(sending))

    # --- letters ----------------------------------------------------------------------------------------------------

    async def _send_all(self) -> None:
        room = asyncio.Semaphore(self._pulse.parallel_letters)

        async def one(departure: Departure) -> None:
            try:
                await _logged("departure.failed", self._one(departure))
            finally:
                room.release()
                self.wake()

        async with asyncio.TaskGroup() as group:
            while not self._finish.is_set():
                await room.acquire()
                self._letters.clear()
                departure = await _logged("departures.unclaimed", self._claimed())
                if departure is None:
                    room.release()
                    await self._rest(self._letters)
                else:
                    group.create_task(one(departure))

    async def _claimed(self) -> Departure | None:
        if self._finish.is_set():
            return None
        departure = await asyncio.to_thread(self._departures.claim, self._sending.worker)
        if departure is not None:
            self._sending.checkpoint("claimed")
        return departure

    async def _rest(self, bell: asyncio.Event) -> None:
        """Until there may be something to do."""
        seconds = self._pulse.look_seconds
        next_ms = await _logged("departures.unread", asyncio.to_thread(self._departures.next_ms))
        if next_ms is not None:
            seconds = min(seconds, max(next_ms - self._sending.now_ms(), 1) / 1000)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await bell.wait()

    async def _one(self, departure: Departure) -> None:
        """One try, from the claim to the row that says what became of it."""
        sending = self._sending
        try:
            letter = await asyncio.to_thread(self._departures.letter, departure.id)
        except Fault as fault:
            damaged = Ruling(state=DepartureState.FAILED, say="failed", reason=DAMAGED)
            unread = Ruling(state=DepartureState.QUEUED, due_ms=sending.now_ms() + LEASE_MS)
            await self._record(departure, damaged if fault.code == DAMAGED else unread)
            return
        outcome = await self._held(departure, self._tried(departure, letter))
        if outcome is not None:
            ruling = ruling_on(
                departure,
                outcome,
                now_ms=sending.now_ms(),
                random_bytes=sending.random_bytes,
                patience=sending.patience,
            )
            await self._record(departure, ruling)

    async def _tried(self, departure: Departure, letter: bytes) -> Outcome:
        sending = self._sending
        try:
            signed = letter if sending.dkim is None else await sign(letter, sending.dkim)
            enveloped = Enveloped(
                departure=departure.id,
                mail_from=sending.bounce_address(departure.id),
                recipient=departure.recipient,
                letter=signed,
                demands_tls=departure.demands_tls,
            )
            return await deliver(enveloped, routes=sending.routes, voice=sending.voice, checkpoint=sending.checkpoint)
        except Exception as broken:  # noqa: BLE001  # whatever it was, the letter waits and is tried again
            _log_failure("departure.not_tried", broken)
            return Later(trouble="fault")

    async def _held(self, departure: Departure, trying: Awaitable[Outcome]) -> Outcome | None:
        """Tries, and prolongs the lease meanwhile; None if the lease was lost, and with it the right to try."""
        task = asyncio.ensure_future(trying)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=PROLONG_SECONDS)
                if not task.done():
                    prolonged = asyncio.to_thread(self._departures.prolong, departure, worker=self._sending.worker)
                    # None is a database that is away: there are two more times before the lease ends.
                    if await _logged("departure.not_prolonged", prolonged) is False:
                        return None
            return task.result()
        finally:
            task.cancel()

    async def _record(self, departure: Departure, ruling: Ruling) -> None:
        """Until it is written: a 250 that is forgotten is a letter sent twice."""
        for tries_left in range(RECORD_TRIES - 1, -1, -1):
            try:
                await asyncio.to_thread(self._departures.record, departure, ruling, worker=self._sending.worker)
                break
            except Exception as broken:
                _log_failure("departure.not_recorded", broken)
                if not tries_left:
                    raise
                await asyncio.sleep(AGAIN_SECONDS)
        self._sending.checkpoint("recorded")
        event_log()("departure.tried", status=ruling.state.value, code=ruling.reason)

    # --- words ------------------------------------------------------------------------------------------------------

    async def _tell_until(self, sending: "asyncio.Task[None]") -> None:
        """Tells whatever there is to tell, to the last of what the sending leaves behind."""
        sending.add_done_callback(lambda _: self._tidings.set())
        while not sending.done():
            self._tidings.clear()
            if not await self._tell_once() and not sending.done():
                await asyncio.sleep(AGAIN_SECONDS)
            await self._rest(self._tidings)
        await self._tell_once()

    async def _tell_once(self) -> bool:
        """Tells what is to be told now; False if something was not taken, which comes again."""
        await _logged("departures.unread", asyncio.to_thread(self._departures.tidings.note_overdue))
        deliveries = await _logged("departures.unread", asyncio.to_thread(self._departures.tidings.untold))
        failed: set[DepartureId] = set()
        for delivery in deliveries or ():
            if delivery.departure.id in failed:
                continue  # of one letter, things are told in the order in which they happened
            if not await _logged("departure.untold", self._told(delivery)):
                failed.add(delivery.departure.id)
        return not failed

    async def _told(self, delivery: Delivery) -> bool:
        await self._sending.tell(delivery)
        self._sending.checkpoint("told")
        await asyncio.to_thread(self._departures.tidings.told, delivery)
        return True


async def _logged(event: str, work: Awaitable[T]) -> T | None:
    """What the work gives; None, and an event, if it failed: the loop goes on, and comes to it again."""
    try:
        return await work
    except Exception as broken:  # noqa: BLE001  # a database that restarts, a relay that is away
        _log_failure(event, broken)
        return None


def _log_failure(event: str, broken: Exception) -> None:
    code = broken.code if isinstance(broken, VetRelayError) else "internal"
    event_log()(event, error=code, where=place_of(broken))
