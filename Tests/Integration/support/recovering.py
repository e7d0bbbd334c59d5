"""A client that resumes by hand: what a stock client with connection state recovery sends."""

from .rooms import RoomClient


class RecoveringClient(RoomClient):
    """Its session's `pid` and the offset behind the last event go into the next CONNECT. The same
    `pid` in the answer says: recovered, nothing was missed."""

    def __init__(self, url: str, room: str, **options):
        query = {"roomId": room, "recovery": "1"}
        super().__init__(url, query=query, **options)
        self.room = room

    async def resume(self, url: str, timeout: float = 8.0) -> "RecoveringClient":
        """A new connection in place of this one, with its events before its own."""
        assert self.pid, "the server gave no pid: nothing can be recovered"
        auth = {"pid": self.pid}
        if self.offset is not None:
            auth["offset"] = self.offset
        after = RecoveringClient(url, self.room, auth=auth, browser=self.browser)
        after.events = list(self.events)
        after.offset = self.offset
        after._owns_browser, self._owns_browser = self._owns_browser, False
        await after.connect(timeout)
        return after
