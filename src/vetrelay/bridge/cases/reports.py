"""Delivery reports about our own letters: read in the jail like any letter, believed for the address they came to."""

import asyncio

from vetrelay.bridge.cases.bridge import Bridge
from vetrelay.bridge.ports import Arrival
from vetrelay.bridge.sending.bounce import Report
from vetrelay.inspection.letter import read_letter
from vetrelay.inspection.words import Unfit
from vetrelay.telemetry import event_log


async def take_report(bridge: Bridge, arrival: Arrival) -> None:
    """Takes over what a report says of the departure whose address it came to. What says nothing changes nothing.

    Raises Fault `spool_damaged`, or where no jail can be had.
    """
    raw = await asyncio.to_thread(bridge.spool.read, arrival.spool)
    try:
        report = (await read_letter(bridge.inspector, raw)).report
    except Unfit:
        report = None
    if report is None or arrival.token is None:
        event_log()("bridge.report_unread")
        return
    told = Report(
        untrusted_action=report.action.value,
        untrusted_status=report.status,
        untrusted_recipient=report.recipient or None,
    )
    await asyncio.to_thread(bridge.departures.report, arrival.token, told)
    bridge.leaving.set()
