"""The tables inside one transaction, each with its own module."""

from collections.abc import Callable

from vetrelay.relay.storage.batch import Batch
from vetrelay.relay.storage.cases import SqlCases
from vetrelay.relay.storage.deliveries import SqlDeliveries
from vetrelay.relay.storage.envelopes import SqlEnvelopes
from vetrelay.relay.storage.leases import SqlLeases
from vetrelay.relay.storage.parties import SqlParties
from vetrelay.relay.storage.payloads import SqlPayloads
from vetrelay.relay.storage.sessions import SqlSessions
from vetrelay.relay.storage.uploads import SqlUploads


class SqlStore:
    """A `Store` on SQLAlchemy Core."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self.parties = SqlParties(batch)
        self.cases = SqlCases(batch)
        self.envelopes = SqlEnvelopes(batch)
        self.deliveries = SqlDeliveries(batch)
        self.leases = SqlLeases(batch)
        self.sessions = SqlSessions(batch)
        self.uploads = SqlUploads(batch)
        self.payloads = SqlPayloads(batch)

    def after_commit(self, action: Callable[[], None]) -> None:
        """Have something done on the event loop once this transaction is durable, before anyone is answered."""
        self._batch.actions.append(action)

    def ring(self, topic: str) -> None:
        """Wake whoever waits for this topic, once this transaction is durable."""
        self._batch.topics.add(topic)
