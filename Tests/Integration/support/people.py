"""The clients of one test or experiment."""

import asyncio

from .editor_client import EditorClient
from .old import OldClient
from .rooms import RoomClient
from .stock import StockClient


class People:
    """Makes clients, and closes them when the test is over."""

    def __init__(self):
        self.clients = []

    async def room_client(self, url: str, room: str | None = None, **options) -> RoomClient:
        query = {"roomId": room} if room else {}
        client = RoomClient(url, query=query | options.pop("query", {}), **options)
        self.clients.append(client)
        await client.connect()
        return client

    async def host(
        self, url: str, room: str, name: str = "Host", password=None, editor=None, **options
    ) -> RoomClient:
        """A client that has created the room."""
        client = await self.room_client(url, **options)
        await client.create(room, name, password, editor)
        return client

    async def guest(
        self, url: str, room: str, name: str = "Guest", password=None, **options
    ) -> RoomClient:
        """A client that has joined the room, and has been sent its scene."""
        client = await self.room_client(url, **options)
        if (await client.join(room, name, password))["hasEditor"]:
            await client.wait("receive-full-editor")
        return client

    async def editor(self, urls, name: str = "Ana", **options) -> EditorClient:
        client = EditorClient([urls] if isinstance(urls, str) else urls, name, **options)
        self.clients.append(client)
        return await client.open()

    async def stock(
        self, url: str, transport: str = "websocket", room: str | None = None, **options
    ) -> StockClient:
        client = StockClient(transport, **options)
        self.clients.append(client)
        return await client.connect(url, room)

    async def old(
        self, url: str, transport: str = "websocket", room: str | None = None, **options
    ) -> OldClient:
        client = OldClient(transport, **options)
        self.clients.append(client)
        return await client.connect(url, room)

    def keep(self, client):
        self.clients.append(client)
        return client

    async def leave(self):
        clients, self.clients = self.clients, []
        await asyncio.gather(*(one.close() for one in clients), return_exceptions=True)
