"""A TCP proxy between a client and a relay that a test can cut: what a phone's network does, on purpose."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PIECE_BYTES = 64 * 1024


@dataclass
class CuttingProxy:
    """Passes bytes on. Each number in `cuts` ends one connection, abruptly, after so many bytes from the client."""

    port: int
    cuts: list[int] = field(default_factory=list)
    hang_instead: bool = False
    connections: int = 0
    cut: int = 0
    url: str = ""
    hanging: list[asyncio.StreamWriter] = field(default_factory=list)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from its beginning to its end."""
        self.connections += 1
        there, back = await asyncio.open_connection("127.0.0.1", self.port)
        ways = [asyncio.create_task(self._up(reader, back)), asyncio.create_task(self._down(there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            if self.hang_instead and self.cut:
                self.hanging.append(back)
            else:
                back.transport.abort()
            writer.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        passed = 0
        with suppress(ConnectionError):
            while piece := await reader.read(PIECE_BYTES):
                if self.cuts and passed + len(piece) > self.cuts[0]:
                    back.write(piece[: self.cuts.pop(0) - passed])
                    await back.drain()
                    self.cut += 1
                    return
                passed += len(piece)
                back.write(piece)
                await back.drain()

    async def _down(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await there.read(PIECE_BYTES):
                writer.write(piece)
                await writer.drain()


@asynccontextmanager
async def cutting_proxy(relay_url: str, *cuts: int, hang_instead: bool = False) -> AsyncIterator[CuttingProxy]:
    """A proxy before a relay. With `hang_instead` the relay is not told of a cut: its side of the connection hangs."""
    proxy = CuttingProxy(port=urlsplit(relay_url).port or 80, cuts=list(cuts), hang_instead=hang_instead)
    server = await asyncio.start_server(proxy.carry, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for back in proxy.hanging:
            back.transport.abort()
