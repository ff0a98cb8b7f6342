"""The DNS records that a bridge's settings ask for."""

from dataclasses import dataclass
from pathlib import Path

from vetrelay.bridge.sending.dkim_sign import dns_record
from vetrelay.config import BridgeConfig
from vetrelay.errors import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record to publish."""

    name: str
    kind: str
    value: str


def records_of(config: BridgeConfig) -> tuple[Record, ...]:
    """The records, as a zone file has them; what only the operator knows stands in angle brackets."""
    return (
        Record(name=config.domain, kind="MX", value=f"10 {config.hostname}."),
        Record(name=config.hostname, kind="A", value="<this machine's public address; AAAA for IPv6>"),
        Record(name="<that address>", kind="PTR", value=f"{config.hostname}.  (your provider sets it)"),
        Record(name=config.domain, kind="TXT", value=f'"{_sender_policy(config)}"'),
        Record(name=f"{config.dkim_selector}._domainkey.{config.domain}", kind="TXT", value=_key(config)),
        Record(name=f"_dmarc.{config.domain}", kind="TXT", value='"v=DMARC1; p=quarantine"'),
    )


def _sender_policy(config: BridgeConfig) -> str:
    if config.smarthost is None:
        return "v=spf1 mx -all"
    return f"v=spf1 mx a:{config.smarthost.rpartition(':')[0]} ~all"


def _key(config: BridgeConfig) -> str:
    """The key's record, in pieces of at most 255 characters as DNS has them."""
    if config.dkim_key_file is None:
        return "<set dkim_key_file first, or take the record of the smarthost>"
    try:
        record = dns_record(Path(config.dkim_key_file).read_bytes())
    except (OSError, Fault):
        return "<dkim_key_file cannot be read>"
    return " ".join(f'"{record[start : start + 250]}"' for start in range(0, len(record), 250))
