"""The addresses the bridge answers to: a case's, a bounce's, and the front door.

Pure. A recipient from the wire becomes one of five frozen values, and only three of them are ours to deliver. What
carries a route inside its local part (quotes, percent signs, further at signs) is somebody else's address that we are
asked to relay to, whatever stands behind the last at sign.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

ADDRESS_BYTES: Final = 254
"""The longest address that fits a path of RFC 5321 4.5.3.1.3 (256 with its angle brackets)."""
LOCAL_BYTES: Final = 64
"""RFC 5321 4.5.3.1.1."""
_ALWAYS_OPEN: Final = ("postmaster", "abuse")  # RFC 5321 4.5.1, RFC 2142 section 2
_CASE: Final = re.compile(r"case[+-]([a-z2-7]{26})", re.ASCII)
_BOUNCE: Final = re.compile(r"b[+-]([a-z2-7]{26})\.([a-z2-7]{26})", re.ASCII)
_PLAIN_LOCAL: Final = re.compile(r"[a-z0-9!#$&'*+/=?^_`{|}~.-]+", re.ASCII)  # atoms without what routes: % @ : "
_PLAIN_DOMAIN: Final = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseAddress:
    """A case's address, for one correspondent. Whether there is such a token is not said here."""

    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceAddress:
    """Where reports about one departure go. `mac` is untrusted until `bounce_is_ours` has said yes."""

    departure: str
    mac: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontDoor:
    """The practice's address without a case. `local` is the front door's name, or `postmaster` or `abuse`."""

    local: str

    @property
    def always_open(self) -> bool:
        """Whether it takes letters even if the practice has no front door (RFC 5321 4.5.1)."""
        return self.local in _ALWAYS_OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """At our domain, or shaped like a case's address: there is no such recipient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Somebody else's: to take it would be relaying."""


def parse_recipient(
    untrusted: str, *, domain: str, front_door: str
) -> CaseAddress | BounceAddress | FrontDoor | Unknown | Foreign:
    """What a recipient is, without angle brackets, compared without regard to case (RFC 5321 4.1.2 lets us).

    A case's address at a wrong domain is Unknown, not Foreign: the answer must not say which half of it was wrong.
    """
    lowered = untrusted.lower()
    if lowered == "postmaster":  # RFC 5321 4.1.1.3: the one recipient that may stand without a domain
        return FrontDoor(local="postmaster")
    local, at, host = lowered.rpartition("@")
    plain = bool(_PLAIN_LOCAL.fullmatch(local)) and "!" not in local  # a!b was a route too
    if not at or not plain or not untrusted.isascii() or len(lowered) > ADDRESS_BYTES or len(local) > LOCAL_BYTES:
        return Foreign()
    case, bounce = _CASE.fullmatch(local), _BOUNCE.fullmatch(local)
    if host != domain.lower():
        return Unknown() if case or bounce else Foreign()
    if case:
        return CaseAddress(token=case[1])
    if bounce:
        return BounceAddress(departure=bounce[1], mac=bounce[2])
    if local == front_door.lower() or local in _ALWAYS_OPEN:
        return FrontDoor(local=local)
    return Unknown()


def case_address(token: str, domain: str) -> str:
    """The address that a correspondent writes to in one case."""
    return f"case+{token}@{domain}"


def new_token(random_bytes: Callable[[int], bytes]) -> str:
    """A token of 128 bits: 26 letters of lower-case base32 (RFC 4648 section 6)."""
    return _base32(random_bytes(16))


def bounce_address(departure: str, *, key: bytes, domain: str) -> str:
    """The envelope sender of every try of one departure, so that a report names the letter it is about."""
    return f"b+{departure}.{_bounce_mac(departure, key)}@{domain}"


def bounce_is_ours(address: BounceAddress, key: bytes) -> bool:
    """Whether we wrote this bounce address; takes the same time for every answer."""
    return hmac.compare_digest(_bounce_mac(address.departure, key), address.mac)


def plain_address(untrusted: str) -> str | None:
    """A usual address in lower case, its domain in ASCII form; None for everything else.

    Usual is: one at sign, no quotes, no routes, labels of letters, digits, hyphens. Letters beyond ASCII may stand in
    the name (RFC 6532) and in the domain, which becomes its IDNA form.
    """
    untrusted_local, at, host = untrusted.rpartition("@")
    # Only ASCII letters are lowered: beyond them a capital may have a small letter that is somebody else's name.
    local = untrusted_local.encode("utf-8", "replace").lower().decode("utf-8")
    name = plain_domain(host)
    printable = untrusted_local.isprintable() and not any(each in local for each in ' "(),:;<>@[\\]')
    if not at or not local or not printable or name is None or len(local.encode("utf-8")) > LOCAL_BYTES:
        return None
    return f"{local}@{name}"


def plain_domain(untrusted: str) -> str | None:
    """A host's name in lower-case ASCII form, without a last dot; None for what is none."""
    lowered = untrusted.lower().removesuffix(".")
    if not lowered.isascii():
        try:
            lowered = lowered[:ADDRESS_BYTES].encode("idna").decode("ascii")
        except UnicodeError:
            return None
    return lowered if _PLAIN_DOMAIN.fullmatch(lowered) else None


def _base32(raw: bytes) -> str:
    return base64.b32encode(raw).decode("ascii").rstrip("=").lower()


def _bounce_mac(departure: str, key: bytes) -> str:
    told = b"VetRelay-v1 bounce\0" + departure.encode("ascii")
    return _base32(hmac.new(key, told, hashlib.sha256).digest()[:16])
