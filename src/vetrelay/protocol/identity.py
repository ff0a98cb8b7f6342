"""Secret halves: a device's and a party's. The blind relay may never reach this module (import contract)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from nacl.signing import SigningKey

from vetrelay.protocol.age.identities import HybridIdentity
from vetrelay.protocol.derive import derive
from vetrelay.protocol.ids import DeviceId, SealKey, SignKey, b64, device_id
from vetrelay.protocol.signature import Signature, Signer


def signer_from(seed: bytes) -> Signer:
    """A signer for a 32-byte Ed25519 seed."""
    key = SigningKey(seed)
    public = b64(bytes(key.verify_key))

    def signer(covered: bytes) -> Signature:
        return Signature(key=public, sig=b64(key.sign(covered).signature))

    return signer


def sign_key_of(seed: bytes) -> SignKey:
    """The public half of a 32-byte Ed25519 seed."""
    return b64(bytes(SigningKey(seed).verify_key))


@dataclass(frozen=True, kw_only=True)
class DeviceIdentity:
    """A device's two seeds (32 bytes each), and what follows from them."""

    sign_seed: bytes = field(repr=False)
    seal_seed: bytes = field(repr=False)

    @cached_property
    def sign(self) -> SignKey:
        """The public signing key."""
        return sign_key_of(self.sign_seed)

    @cached_property
    def age(self) -> HybridIdentity:
        """The age identity that opens this device's boxes."""
        return HybridIdentity(self.seal_seed)

    @cached_property
    def seal(self) -> SealKey:
        """The public sealing key (1216 bytes)."""
        return b64(self.age.recipient)

    @cached_property
    def id(self) -> DeviceId:
        """The device's id."""
        return device_id(self.sign, self.seal)

    @cached_property
    def signer(self) -> Signer:
        """Signs as this device."""
        return signer_from(self.sign_seed)


@dataclass(frozen=True, kw_only=True)
class PartyKey:
    """One generation of a party's key: the seed opens what was sealed to the party in that generation."""

    gen: int
    seed: bytes = field(repr=False)

    @cached_property
    def age(self) -> HybridIdentity:
        """The age identity of this generation: what `device export-identity` prints."""
        return HybridIdentity(self.seed)

    @cached_property
    def seal(self) -> SealKey:
        """The public sealing key of this generation (1216 bytes)."""
        return b64(self.age.recipient)


def newest_first(keys: Sequence[PartyKey]) -> tuple[HybridIdentity, ...]:
    """The age identities of a party, the likeliest to fit first."""
    return tuple(key.age for key in sorted(keys, key=lambda key: -key.gen))


def invitation_signer(secret: bytes) -> Signer:
    """Signs as the holder of an invitation's secret."""
    return signer_from(derive(secret, "invite/sign"))


def invitation_identity(secret: bytes) -> HybridIdentity:
    """Opens the card of an invitation."""
    return HybridIdentity(derive(secret, "invite/seal"))
