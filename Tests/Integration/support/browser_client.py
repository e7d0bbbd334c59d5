"""socket.io-client itself in a page: the page, who serves it, and a test's hand on it."""

import http.server
import os
import threading
from pathlib import Path

from .acknowledged import Acknowledged
from .browser import Tab
from .ports import free_port
from .processes import ROOT
from .scenes import box, object_data

SCRIPT = Path(__file__).with_name("client_page.js")
PAGE = b"""<!doctype html><meta charset="utf-8"><title>A stock client</title>
<link rel="icon" href="data:,"><script src="/socket.io.min.js"></script>
<script src="/client.js"></script>"""

TRANSPORTS = {
    "websocket": ["websocket"],
    "polling": ["polling"],
    "upgrade": ["polling", "websocket"],
}


def client_file() -> Path:
    """The stock client that set-up fetched."""
    path = Path(os.environ.get("CLIENT_DIR", ROOT / ".tandem/client")) / "socket.io.min.js"
    assert path.exists(), f"no {path}: run scripts/fetch-client.sh"
    return path


class PageServer:
    """Serves the tests' page, at one port and under both names of this machine. A test may add
    files: path to content type and content."""

    def __init__(self):
        self.port = free_port()
        self.files = {
            "/": ("text/html", PAGE),
            "/socket.io.min.js": ("text/javascript", client_file().read_bytes()),
            "/client.js": ("text/javascript", SCRIPT.read_bytes()),
        }

        pages = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                kind, body = pages.files.get(self.path.partition("?")[0], (None, b""))
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The same site as instances and nginx: cookies travel."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def foreign_url(self) -> str:
        """Another origin, and another site."""
        return f"http://localhost:{self.port}"

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


class StockPage(Tab):
    """A page with one stock client; `events` of the page are counted from its load."""

    async def run(self, expression: str, *arguments):
        """The answer of `client.<expression>(…arguments)`."""
        return await self.page.evaluate(
            f"arguments => client.{expression}(...arguments)", list(arguments)
        )

    async def connect(
        self, url: str, room: str | None = None, transport: str = "websocket", **options
    ) -> dict:
        """The event that ended the attempt: (connect) or (connect_error)."""
        options = {"transports": TRANSPORTS[transport]} | options
        if room:
            options["query"] = {"roomId": room}
        return await self.run("open", url, options)

    async def mark(self) -> int:
        return await self.page.evaluate("client.events.length")

    async def wait(
        self, *names: str, after: int = 0, timeout: float = 15, where: str = "() => true"
    ) -> dict:
        return await self.run("wait", names, after, round(timeout * 1000), where)

    async def emit(self, name: str, *arguments):
        await self.page.evaluate(
            "([name, ...rest]) => { client.socket.emit(name, ...rest); }", [name, *arguments]
        )

    async def request(self, name: str, payload, *replies: str, timeout: float = 15):
        """The first argument of the reply event."""
        after = await self.mark()
        await self.emit(name, payload)
        return (await self.wait(*replies, after=after, timeout=timeout))["args"][0]

    async def create(self, room: str, name: str = "Host", password=None, editor=None) -> dict:
        payload = {"roomId": room, "userName": name, "password": password}
        if editor is not None:
            payload["editor"] = editor
        answer = await self.request(
            "create-room", payload, "room-created", "room-creation-failed"
        )
        assert "error" not in answer, answer
        return answer

    async def join(self, room: str, name: str = "Guest", password=None) -> dict:
        payload = {"roomId": room, "userName": name, "password": password}
        answer = await self.request("join-room", payload, "joined-room", "join-room-failed")
        assert "error" not in answer, answer
        return answer

    async def add(self, room: str, name: str, **properties) -> dict:
        """The answer of the ack callback."""
        node = box(name, **properties)
        payload = {
            "roomId": room,
            "objectUuid": node["uuid"],
            "objectData": object_data(node),
            "changeType": "object-added",
        }
        return (await self.run("call", 10_000, "sync-editor-object-update", payload))[0]

    async def sees(self, names: list[str], timeout: float = 15):
        """The room's members are these, by the last users-list."""
        await self.page.wait_for_function(
            """wanted => {
                const names = client.users().map((one) => one.name);
                return JSON.stringify(names.sort()) === JSON.stringify(wanted.sort());
            }""",
            arg=names,
            timeout=timeout * 1000,
            polling=50,
        )

    async def users(self) -> dict[str, str]:
        return {one["name"]: one["role"] for one in await self.run("users")}

    @property
    async def transport(self) -> str:
        return await self.page.evaluate("client.socket.io.engine.transport.name")

    async def note_traffic(self, record: Acknowledged) -> tuple[int, list]:
        """Takes over what the page's edits came to; gives how many were acknowledged."""
        traffic = await self.page.evaluate(
            "({ records: client.traffic.records, refusals: client.traffic.refusals })"
        )
        answered = 0
        for one in traffic["records"]:
            place = record.sent(one["node"])
            if one["version"] is not None:
                record.acknowledged(one["node"]["uuid"], place, one["version"])
                answered += 1
        return answered, traffic["refusals"]
