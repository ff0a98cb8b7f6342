"""The bridge's own keys for sealed email: made when they are first needed, kept sealed in its notes."""

from vetrelay.bridge.cases.bridge import Bridge
from vetrelay.bridge.letters.openpgp_key import OwnPgp, make_own_pgp, parse_own_pgp
from vetrelay.bridge.letters.smime_key import OwnSmime, make_own_smime, parse_own_smime

PGP: str = "own pgp"
SMIME: str = "own smime"


def own_pgp(bridge: Bridge) -> OwnPgp:
    """The key that clinics may write to, and that signs what goes to them."""
    kept = bridge.notes.get(PGP)
    if kept is not None:
        return parse_own_pgp(kept)
    made = make_own_pgp(bridge.end.random_bytes, now_ms=bridge.end.now_ms())
    bridge.notes.put(PGP, made.to_bytes())
    return made


def own_smime(bridge: Bridge) -> OwnSmime:
    """The same for S/MIME. Making it takes about a second."""
    kept = bridge.notes.get(SMIME)
    if kept is not None:
        return parse_own_smime(kept)
    made = make_own_smime(now_ms=bridge.end.now_ms())
    bridge.notes.put(SMIME, made.to_bytes())
    return made
