"""What journeys share with the client's tests: a case with its owner, its clinic and its file check."""

from tests.client.conftest import furnished, room

__all__ = ["furnished", "room"]
