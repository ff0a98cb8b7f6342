"""What the hostile tests share with the client's: a case with its owner, its clinic and its file check."""

from tests.client.conftest import furnished, room

__all__ = ["furnished", "room"]
