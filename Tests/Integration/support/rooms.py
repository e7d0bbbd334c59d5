"""A client that does one thing at a time: the event contract without the editor's own timers."""

from .scenes import SceneModel, box, object_data
from .wire import WireSocket

JOIN_REPLIES = ("joined-room", "join-room-failed")
CREATE_REPLIES = ("room-created", "room-creation-failed")
UPLOAD_REPLIES = ("sync-full-editor-success", "sync-full-editor-error")
SNAPSHOT_REPLIES = ("receive-full-editor", "editor-sync-error")
DELETE_REPLIES = ("room-deleted", "delete-room-failed")


class Refused(Exception):
    """The server's own refusal of a request."""

    def __init__(self, event):
        super().__init__(repr(event))
        self.event = event.name
        self.answer = event.arg or {}
        self.code = self.answer.get("code")


class RoomClient(WireSocket):
    """Requests as methods; a refusal is raised as `Refused`."""

    async def create(
        self, room: str, name: str = "Host", password=None, editor=None, **more
    ) -> dict:
        payload = {"roomId": room, "userName": name, "password": password} | more
        if editor is not None:
            payload["editor"] = editor
        event = await self.request("create-room", payload, replies=CREATE_REPLIES, timeout=10)
        if event.name != "room-created":
            raise Refused(event)
        return event.arg

    async def join(
        self, room: str, name: str = "Guest", password=None, timeout: float = 10
    ) -> dict:
        payload = {"roomId": room, "userName": name, "password": password}
        event = await self.request("join-room", payload, replies=JOIN_REPLIES, timeout=timeout)
        if event.name != "joined-room":
            raise Refused(event)
        return event.arg

    async def leave(self, room: str) -> dict:
        return (await self.request("leave-room", room, replies=("left-room",))).arg

    async def delete(self, room: str) -> dict:
        event = await self.request("delete-room", {"roomId": room}, replies=DELETE_REPLIES)
        if event.name != "room-deleted":
            raise Refused(event)
        return event.arg

    async def rename(self, room: str, name: str):
        await self.emit("user-name-change", {"roomId": room, "userName": name})

    async def rooms(self) -> list[dict]:
        event = await self.request("get-rooms", replies=("rooms-list",))
        assert isinstance(event.arg, list), f"rooms-list is no plain array: {event!r}"
        return event.arg

    async def upload(self, room: str, editor: dict, timeout: float = 20) -> dict:
        payload = {"roomId": room, "editorData": editor}
        event = await self.request(
            "sync-full-editor", payload, replies=UPLOAD_REPLIES, timeout=timeout
        )
        if event.name != "sync-full-editor-success":
            raise Refused(event)
        return event.arg

    async def snapshot(self, room: str, timeout: float = 10) -> dict:
        """The answer to `request-editor-sync`, whole."""
        event = await self.request(
            "request-editor-sync", {"roomId": room}, replies=SNAPSHOT_REPLIES, timeout=timeout
        )
        if event.name != "receive-full-editor":
            raise Refused(event)
        return event.arg

    async def scene(self, room: str) -> SceneModel:
        return SceneModel.of((await self.snapshot(room))["editorData"])

    # --- edits, with the ack callback; the answer is {ok, version} or {ok, error} --------------

    async def edit(self, event: str, room: str, payload: dict, timeout: float = 10) -> dict:
        return await self.emit_with_ack(event, {"roomId": room} | payload, timeout=timeout)

    async def put(
        self, room: str, node: dict, change_type: str = "general", timeout: float = 10
    ) -> dict:
        payload = {
            "objectData": object_data(node),
            "objectUuid": node["uuid"],
            "changeType": change_type,
        }
        return await self.edit("sync-editor-object-update", room, payload, timeout)

    async def add(self, room: str, name: str, **properties) -> dict:
        """A new box; gives its node. Asserts the ack."""
        node = box(name, **properties)
        answer = await self.put(room, node, "object-added")
        assert answer.get("ok") is True, answer
        return node

    async def remove(self, room: str, uuid: str, timeout: float = 10) -> dict:
        payload = {"objectId": uuid, "objectType": "Mesh", "objectName": "Box", "timestamp": 1}
        return await self.edit("sync-editor-object-removal", room, payload, timeout)

    @property
    def users(self) -> list[dict]:
        return self.last("users-list") or []

    @property
    def user_names(self) -> list[str]:
        return sorted(user["name"] for user in self.users)

    @property
    def host_name(self) -> str | None:
        hosts = [user["name"] for user in self.users if user["role"] == "host"]
        return hosts[0] if len(hosts) == 1 else None
