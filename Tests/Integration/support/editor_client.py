"""The browser editor as it is, modelled after what it sends, expects and does.

WebSocket only; no acks; its own reconnection with fixed delays; a second `join-room` without
password after each connection; a full upload by the host after each join; a snapshot request by
each guest; one version number for all rooms; deaf to single edits while it applies a scene; deaf to
events with its own socket id. Whatever would have thrown in the browser is kept in `errors`, each
red notice in `red_notices`.
"""

import asyncio
import contextlib
import time

import aiohttp

from .editor_timing import Timing
from .scenes import SceneModel, box, creation_editor, editor, new_uuid, object_data
from .wire import ConnectRefused, Event, Unreachable, WireSocket, new_browser

RED_NOTICES = ("room-creation-failed", "join-room-failed", "editor-sync-error")
SINGLE_EDITS = (
    "receive-editor-object-update",
    "receive-editor-object-removal",
    "receive-scene-background-update",
    "receive-scene-fog-update",
    "receive-script-added",
    "receive-script-changed",
    "receive-script-removed",
)


class EditorClient:
    def __init__(
        self,
        server_urls: list[str],
        name: str = "Ana",
        timing: Timing = Timing(),
        browser: aiohttp.ClientSession | None = None,
    ):
        self.server_urls = list(server_urls)
        self.name = name
        self.timing = timing
        self.browser = browser or new_browser()
        self._owns_browser = browser is None

        self.socket: WireSocket | None = None
        self.url_index = 0
        self.attempts = 0
        self.current_room: str | None = None
        self.pending_room: str | None = None
        self.is_host = False
        self.version = -1
        self.scene = SceneModel()
        self.busy_until = 0.0
        self.rooms: list | None = None
        self.users: list | None = None

        self.timeline: list[Event] = []  # events of the wire and of the client itself
        self.errors: list[str] = []
        self.red_notices: list[Event] = []
        self.reloads = 0
        self.dropped_while_busy = 0
        self.ignored_old_scenes = 0
        self.applied_scenes = 0
        self.on_remote_update = None  # called with objectData of each update that is shown
        self._tasks: set[asyncio.Task] = set()
        self._changed = asyncio.Event()
        self._closing = False
        self._upload_timer: asyncio.Task | None = None

    # --- the user's hands --------------------------------------------------------------------------

    async def open(self) -> "EditorClient":
        """Loads the page: connects to the first URL, fails over as the page does."""
        self._later(0, self._connect)
        self._later(15, self._get_rooms)
        await self.until(lambda: self.connected, 20, "connected")
        return self

    async def create_room(self, room: str, password: str | None = None, timeout: float = 10):
        self.pending_room = room
        payload = {
            "roomId": room,
            "userName": self.name,
            "password": password,
            "editor": self._creation_state(),
        }
        after = len(self.timeline)
        await self._emit("create-room", payload)
        return await self.until_event(("room-created", "room-creation-failed"), after, timeout)

    async def join_room(self, room: str, password: str | None = None, timeout: float = 20):
        """As from the lobby: a new socket that names the room, then the join."""
        self.pending_room = room
        after = len(self.timeline)
        if self.socket is None or self.socket.query.get("roomId") != room:
            await self._leave_socket()
            self._later(0, self._connect)
            while not self.connected:
                await asyncio.sleep(self.timing.join_poll)
        payload = {"roomId": room, "userName": self.name, "password": password}
        await self._emit("join-room", payload)
        return await self.until_event(("joined-room", "join-room-failed"), after, timeout)

    async def leave_room(self):
        await self._emit("leave-room", self.current_room)

    async def delete_room(self):
        if self.is_host:
            await self._emit("delete-room", {"roomId": self.current_room})

    async def rename(self, name: str):
        self.name = name
        if self.connected and self.current_room:
            await self._emit("user-name-change", {"roomId": self.current_room, "userName": name})

    async def add_object(self, name: str = "Box", **properties) -> dict:
        node = box(name, **properties)
        await self._change(node, "object-added")
        return node

    async def change_object(self, node: dict, **properties) -> dict:
        changed = {**node, **properties}
        await self._change(changed, "general")
        return changed

    async def _change(self, node: dict, change_type: str):
        data = object_data(node)
        self.scene.update(data, node["uuid"], "object-added")
        if self.connected and self.current_room:
            payload = {
                "roomId": self.current_room,
                "objectData": data,
                "objectUuid": node["uuid"],
                "changeType": change_type,
            }
            await self._emit("sync-editor-object-update", payload)

    async def remove_object(self, uuid: str):
        name = self.scene.objects.get(uuid, {}).get("name", "")
        self.scene.remove(uuid)
        payload = {
            "roomId": self.current_room,
            "objectId": uuid,
            "objectType": "Mesh",
            "objectName": name,
            "timestamp": int(time.time() * 1000),
        }
        await self._emit("sync-editor-object-removal", payload)

    async def set_background(self, r: float, g: float, b: float):
        data = {"type": "Color", "r": r, "g": g, "b": b}
        self.scene.set_background(data)
        payload = {"roomId": self.current_room, "backgroundData": data}
        await self._emit("sync-scene-background-update", payload)

    async def set_fog(self, data: dict | None):
        self.scene.set_fog(data)
        await self._emit("sync-scene-fog-update", {"roomId": self.current_room, "fogData": data})

    async def add_script(self, uuid: str, name: str, source: str):
        script = {"name": name, "source": source}
        self.scene.add_script(uuid, script)
        payload = {"roomId": self.current_room, "objectUuid": uuid, "script": script}
        await self._emit("sync-script-added", payload)

    async def change_script(self, uuid: str, name: str, source: str):
        script = {"name": name, "source": source}
        self.scene.change_script(uuid, script)
        payload = {"roomId": self.current_room, "objectUuid": uuid, "script": script}
        await self._emit("sync-script-changed", payload)

    async def lose_network(self, timeout: float = 10):
        """The connection breaks, and the page comes back to its room by itself: with the room in
        its query, so that a proxy brings it where the room's others are."""
        after = len(self.timeline)
        await self.socket.drop()
        await self.until_event(("joined-room",), after, timeout)

    async def close(self):
        self._closing = True
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2)
        await self._leave_socket()
        if self._owns_browser:
            await self.browser.close()

    # --- looking -----------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return self.socket is not None and self.socket.connected

    @property
    def socket_id(self) -> str | None:
        return self.socket.sid if self.socket else None

    @property
    def in_room(self) -> bool:
        """In the room by the server's word on this very connection."""
        return (
            self.connected
            and self.current_room is not None
            and any(event.name in ("joined-room", "room-created") for event in self.socket.events)
        )

    @property
    def user_names(self) -> list[str]:
        return sorted(user["name"] for user in self.users or [])

    @property
    def host_names(self) -> list[str]:
        return [user["name"] for user in self.users or [] if user["role"] == "host"]

    def heard(self, *names: str, after: int = 0) -> list[Event]:
        return [event for event in self.timeline[after:] if event.name in names]

    async def until(self, condition, timeout: float = 10, what: str = ""):
        end = time.monotonic() + timeout
        while True:
            answer = condition()
            if answer:
                return answer
            left = end - time.monotonic()
            if left <= 0:
                tail = [repr(event)[:120] for event in self.timeline[-8:]]
                raise AssertionError(f"{self.name}: not within {timeout} s: {what}; last: {tail}")
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(left, 0.1))

    async def until_event(self, names: tuple, after: int = 0, timeout: float = 10) -> Event:
        return await self.until(
            lambda: next(iter(self.heard(*names, after=after)), None), timeout, str(names)
        )

    # --- connecting ---------------------------------------------------------------------------------

    async def _connect(self, url: str | None = None):
        """One attempt, then what the page does next."""
        if self._closing:
            return
        url = url or self.server_urls[self.url_index]
        room = self.current_room or self.pending_room
        socket = WireSocket(url, browser=self.browser, query={"roomId": room} if room else {})
        socket.on_event = lambda event: self._received(socket, event)
        socket.on_close = lambda reason: self._closed(socket, reason)
        self._note("(connecting)", url)
        try:
            await socket.connect(self.timing.connect_timeout)
        except ConnectRefused as refusal:
            self._note("(connect_error)", refusal.message)
            target = refusal.message.removeprefix("REDIRECT:")
            if target != refusal.message and target in self.server_urls:
                self.url_index = self.server_urls.index(target)
                self._later(0, self._connect)
            else:
                self._fail_over()
            return
        except Unreachable as trouble:
            self._note("(unreachable)", str(trouble))
            self._fail_over()
            return
        self.socket = socket
        self.attempts = 0
        self._note("(connected)", url)
        self._later(self.timing.after_connect, self._after_connect, socket)

    async def _after_connect(self, socket: WireSocket):
        if socket is not self.socket or not socket.connected:
            return
        if self.current_room:
            payload = {"roomId": self.current_room, "userName": self.name, "password": None}
            await self._emit("join-room", payload)
        await self._emit("get-rooms")

    def _closed(self, socket: WireSocket, reason: str):
        if socket is not self.socket or self._closing or reason == "io client disconnect":
            return
        self._note("(disconnected)", reason)
        if reason == "io server disconnect":
            self.errors.append("a DISCONNECT packet: the page would connect twice")
        self._fail_over()

    def _fail_over(self):
        few = self.attempts < len(self.server_urls)
        delay = self.timing.first_retries if few else self.timing.later_retries
        self.attempts += 1
        self.url_index = (self.url_index + 1) % len(self.server_urls)
        self._later(delay, self._connect)

    async def _leave_socket(self):
        socket, self.socket = self.socket, None
        if socket is not None:
            await socket.abandon()

    async def _get_rooms(self):
        if self.connected:
            await self._emit("get-rooms")

    async def _emit(self, name: str, *args):
        """On a socket that is gone, what is sent is lost: its replacement starts empty."""
        if not self.connected:
            return
        self._note(f"> {name}", args[0] if args else None)
        with contextlib.suppress(ConnectionError, OSError, RuntimeError):
            await self.socket.emit(name, *args)

    # --- what the server says ------------------------------------------------------------------------

    def _received(self, socket: WireSocket, event: Event):
        if socket is not self.socket and self.socket is not None:
            return
        self.timeline.append(event)
        if event.name in RED_NOTICES:
            self.red_notices.append(event)
        try:
            if event.name in SINGLE_EDITS:
                self._single_edit(event.name, event.arg)
            else:
                handler = getattr(self, "_on_" + event.name.replace("-", "_"), None)
                if handler:
                    handler(event.arg)
        except Exception as problem:  # the browser's console
            self.errors.append(f"{event!r}: {type(problem).__name__}: {problem}")
        self._changed.set()

    def _on_room_created(self, data: dict):
        self.current_room, self.pending_room = data["roomId"], None
        self._become_host()

    def _on_joined_room(self, data: dict):
        self.current_room, self.pending_room = data["roomId"], None
        if not isinstance(data["isHost"], bool) or not isinstance(data["hasEditor"], bool):
            raise TypeError("isHost and hasEditor are booleans")
        if data["isHost"]:
            self._become_host()
        else:
            self.is_host = False
            self._later(self.timing.guest_sync, self._request_sync)

    def _become_host(self):
        self.is_host = True
        self._later(self.timing.host_upload, self._upload)

    def _on_join_room_failed(self, data: dict):
        self.pending_room = None

    def _on_room_creation_failed(self, data: dict):
        self.pending_room = None

    def _on_left_room(self, data: dict):
        if data["success"]:
            self._reload()

    def _on_room_deleted(self, data: dict):
        self._reload()

    def _reload(self):
        """The page is loaded anew: nothing is remembered but the cookies."""
        self.reloads += 1
        self.current_room = self.pending_room = None
        self.is_host = False
        self.version = -1
        self.scene = SceneModel()

    def _on_rooms_list(self, data):
        if not isinstance(data, list):
            raise TypeError("rooms-list is no array")
        for item in data:
            item["id"], item["isProtected"], item["serverInstance"], item["lastActivity"]
            item["userCount"] + 0
        self.rooms = data

    def _on_users_list(self, data):
        for user in data:
            user["id"][0:8] + user["name"]
        if [user["role"] for user in data].count("host") > 1:
            raise ValueError("more than one host")
        self.users = data

    def _on_receive_full_editor(self, data: dict):
        if data.get("originUserId") == self.socket_id and self.socket_id:
            return
        if data["editorData"] is None:
            empty = data["version"] == 0 and data["hostId"] is None and data.get("isInitialSync")
            if not empty:
                raise ValueError("an empty scene of another shape than the empty room's")
            self._later(self.timing.empty_room_upload, self._upload)
            return
        if data["version"] <= self.version:
            self.ignored_old_scenes += 1
            return
        now = time.monotonic()
        if now < self.busy_until:
            raise RuntimeError("a full scene while another is being applied")
        self.version = data["version"]
        self.scene.replace(data["editorData"])
        self.applied_scenes += 1
        megabytes = len(str(data["editorData"])) / 1e6
        least = self.timing.apply_least
        self.busy_until = now + max(least, megabytes * self.timing.apply_megabyte)

    def _single_edit(self, name: str, data: dict):
        if time.monotonic() < self.busy_until:
            self.dropped_while_busy += 1
            return
        if data.get("originUserId") == self.socket_id:
            return
        if name == "receive-editor-object-update":
            known = self.scene.update(data["objectData"], data["objectUuid"], data["changeType"])
            if known and self.on_remote_update:
                self.on_remote_update(data["objectData"])
            if not known:
                self._later(0, self._request_sync)
        elif name == "receive-editor-object-removal":
            self.scene.remove(data["objectId"])
        elif name == "receive-scene-background-update":
            self.scene.set_background(data["backgroundData"])
        elif name == "receive-scene-fog-update":
            self.scene.set_fog(data["fogData"])
        elif name == "receive-script-added":
            self.scene.add_script(data["objectUuid"], data["script"])
        elif name == "receive-script-changed":
            self.scene.change_script(data["objectUuid"], data["script"])

    def _on_sync_full_editor_success(self, data):
        self._cancel_upload_timer()

    def _on_sync_full_editor_error(self, data):
        self._cancel_upload_timer()
        self._later(self.timing.upload_retry, self._upload)

    # --- the host's uploads, the guest's requests ---------------------------------------------------

    async def _upload(self):
        if not self.connected or not self.current_room or not self.scene.has_content:
            return
        self._cancel_upload_timer()
        payload = {"roomId": self.current_room, "editorData": self._whole_state()}
        await self._emit("sync-full-editor", payload)
        self._upload_timer = self._later(self.timing.upload_wait, self._upload_is_late)

    async def _upload_is_late(self):
        self.errors.append("no answer to a full upload in 30 s")

    def _cancel_upload_timer(self):
        if self._upload_timer:
            self._upload_timer.cancel()
            self._upload_timer = None

    async def _request_sync(self):
        if self.connected and self.current_room:
            await self._emit("request-editor-sync", {"roomId": self.current_room})

    def _tree(self) -> list[dict]:
        def node(uuid):
            children = [node(one) for one, parent in self.scene.parents.items() if parent == uuid]
            own = dict(self.scene.objects[uuid])
            return own | {"children": children} if children else own

        return [node(one) for one, parent in self.scene.parents.items() if parent is None]

    def _state(self, make) -> dict:
        self.scene.root = self.scene.root or new_uuid()
        state = make(
            *self._tree(),
            scripts=self.scene.scripts,
            background=self.scene.background,
            fog=self.scene.fog,
        )
        for copy in (state["scene"], state.get("object")):
            if copy:
                copy["object"]["uuid"] = self.scene.root
        return state

    def _whole_state(self) -> dict:
        return self._state(editor)

    def _creation_state(self) -> dict:
        return self._state(creation_editor)

    # --- small things -------------------------------------------------------------------------------

    def _note(self, name: str, argument=None):
        self.timeline.append(Event(time.monotonic(), name, [argument]))
        self._changed.set()

    def _later(self, delay: float, action, *args) -> asyncio.Task:
        async def run():
            await asyncio.sleep(delay)
            await action(*args)

        task = asyncio.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task):
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            self.errors.append(f"client model: {task.exception()!r}")
