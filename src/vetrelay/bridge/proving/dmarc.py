"""What a From domain demands of letters in its name (DMARC, RFC 7489), and what counts as the same domain.

The check is our own: that of the library `authheaders` cuts a domain off at its first hyphen, so that for it
`clinic.example-thief.example` is `clinic.example` (docs/decisions/0015).
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from publicsuffixlist import PublicSuffixList

from vetrelay.bridge.ports import DmarcPolicy
from vetrelay.bridge.resolver import Resolver

_POLICIES: Final[Mapping[str, DmarcPolicy]] = {"none": "none", "quarantine": "quarantine", "reject": "reject"}
_MILDER: Final[Mapping[DmarcPolicy, DmarcPolicy]] = {"reject": "quarantine", "quarantine": "none", "none": "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A domain's record as it applies to letters from it. Without a record alignment is relaxed (`NO_DEMAND`)."""

    policy: DmarcPolicy | None = None
    strict_dkim: bool = False
    strict_spf: bool = False


NO_DEMAND: Final = Demand()


async def demand_of(domain: str, resolver: Resolver) -> Demand:
    """The record of a From domain, or that of its organization (6.6.3). Raises Fault `dns_unanswered`."""
    own = _record(await resolver.txt(f"_dmarc.{domain}"))
    if own is not None:
        return _demand(own, own.get("p", ""))
    organization = organization_of(domain)
    above = _record(await resolver.txt(f"_dmarc.{organization}")) if organization != domain else None
    return NO_DEMAND if above is None else _demand(above, above.get("sp", above.get("p", "")))


def aligned(domain: str | None, author_domain: str, *, strict: bool) -> bool:
    """Whether what was proven for `domain` counts for the author's (3.1). Both in lower-case ASCII form."""
    if domain is None:
        return False
    return domain == author_domain or (not strict and organization_of(domain) == organization_of(author_domain))


def organization_of(domain: str) -> str:
    """The domain that was registered (3.2): one label more than its public suffix; the domain itself if it is one.

    A last label that is not in the list is a suffix by itself, as the list's own rule says.
    """
    return str(_public_suffixes().privatesuffix(domain) or domain)


@functools.cache
def _public_suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def _record(texts: tuple[str, ...]) -> Mapping[str, str] | None:
    """The tags of the one DMARC record among these; more than one is like none (6.6.3)."""
    records = [text for text in texts if text.partition(";")[0].replace(" ", "") == "v=DMARC1"]
    if len(records) != 1:
        return None
    pairs = [tag.partition("=") for tag in records[0].split(";")]
    return {name.strip().lower(): value.strip().lower() for name, equals, value in pairs if equals}


def _demand(tags: Mapping[str, str], named: str) -> Demand:
    policy = _POLICIES.get(named, "none")
    if tags.get("pct") == "0" or tags.get("t") == "y":  # 6.3: nobody gets the policy, but the next milder one
        policy = _MILDER[policy]
    return Demand(policy=policy, strict_dkim=tags.get("adkim") == "s", strict_spf=tags.get("aspf") == "s")
