"""Clients that edit, and witnesses that ask whether an instance tells the truth."""

import socket
import threading
import time
import uuid

import requests
import socketio

from conftest import INSTANCES, until


class Editor:
    """A stock client that joins its room after each connection, and edits with ack callbacks."""

    def __init__(self, url, room):
        self.room = room
        self.lost_at, self.acknowledged, self.waits = [], set(), []
        self.joined, self._over = threading.Event(), threading.Event()
        self._created = False
        self._socket = socketio.Client(
            reconnection_delay=0.1, reconnection_delay_max=0.3, randomization_factor=0
        )
        self._socket.on("connect", self._enter)
        self._socket.on("disconnect", self._lost)
        self._socket.on("room-created", lambda _: self.joined.set())
        self._socket.on("joined-room", lambda _: self.joined.set())
        self._socket.connect(f"{url}?roomId={room}", transports=["websocket"])
        assert self.joined.wait(10)
        self._thread = threading.Thread(target=self._edit)
        self._thread.start()

    def _enter(self):
        who = {"roomId": self.room, "userName": "Ana", "password": None}
        self._socket.emit("join-room" if self._created else "create-room", who)
        self._created = True

    def _lost(self, *_):
        if not self._over.is_set():
            self.lost_at.append(time.monotonic())
        self.joined.clear()

    def _edit(self):
        while not self._over.wait(0.05):
            if not self.joined.is_set():
                continue
            key, sent_at = str(uuid.uuid4()), time.monotonic()
            node = {"uuid": key, "type": "Mesh", "name": "Box"}
            change = {"objectUuid": key, "objectData": {"object": node}, "roomId": self.room}

            def answered(answer, key=key, sent_at=sent_at):
                if answer.get("ok"):
                    self.acknowledged.add(key)
                    self.waits.append((sent_at, time.monotonic() - sent_at))

            try:
                self._socket.emit(
                    "sync-editor-object-update",
                    change | {"changeType": "object-added"},
                    callback=answered,
                )
            except socketio.exceptions.SocketIOError:
                pass

    def longest_wait(self, since, until):
        return max(wait for sent_at, wait in self.waits if since < sent_at < until)

    def end(self):
        self._over.set()
        self._thread.join()
        self._socket.disconnect()


HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: tandem\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Witness(threading.Thread):
    """Asks an instance whether it is ready, knocks, and asks again: the knock must agree."""

    def __init__(self, url):
        super().__init__()
        self.url, self.lies, self.away, self.asked = url, [], [], 0
        self.address = ("127.0.0.1", int(url.rpartition(":")[2]))
        self._over = threading.Event()
        self.start()

    def _ready(self):
        try:
            return requests.get(f"{self.url}/api/ready", timeout=5).status_code
        except requests.ConnectionError:
            return None

    def _knock(self):
        """As a client does whose first transport is a WebSocket."""
        try:
            with socket.create_connection(self.address, timeout=5) as connection:
                connection.sendall(HANDSHAKE)
                answer = connection.recv(100)
        except OSError:
            return None
        return int(answer.split()[1]) if answer else None

    def run(self):
        while not self._over.wait(0.02):
            before, knock, after = self._ready(), self._knock(), self._ready()
            self.asked += 1
            if before != 200:
                self.away.append(time.monotonic())
            if before == after and knock != {200: 101}.get(before, before):
                self.lies.append((before, knock))

    def end(self):
        self._over.set()
        self.join()


class Traffic:
    """An editor in a room of each instance, through nginx, and a witness of each, while it is open."""

    def __init__(self, deployment):
        self.url, self.urls = deployment.url, {one: deployment.instance_url(one) for one in INSTANCES}

    def __enter__(self):
        self.began = time.monotonic()
        self.editors = {name: Editor(self.url, self._room_of(name)) for name in INSTANCES}
        self.witnesses = {name: Witness(self.urls[name]) for name in INSTANCES}
        return self

    def _room_of(self, name):
        for number in range(200):
            ask = f"{self.urls[name]}/api/load-balancer?roomId=traffic-{number}"
            if requests.get(ask, timeout=5).json()["owner"] == name:
                return f"traffic-{number}"
        raise AssertionError(f"no room for {name}")

    def __exit__(self, problem, *_):
        try:
            if problem is None:
                joined = [one.joined for one in self.editors.values()]
                until(lambda: all(one.is_set() for one in joined), 10, "all are back")
        finally:
            for one in (*self.editors.values(), *self.witnesses.values()):
                one.end()

    def assert_a_roll_cost_one_reconnection_for_each_instance(self):
        away = {name: (one.away[0], one.away[-1]) for name, one in self.witnesses.items()}
        assert away["server-1"][1] < away["server-2"][0], "one after the other"
        for editor in self.editors.values():
            in_each = [
                len([at for at in editor.lost_at if start <= at <= end])
                for start, end in away.values()
            ]
            assert max(in_each) == 1 and sum(in_each) == len(editor.lost_at)
            assert len(editor.acknowledged) > 100
            assert editor.acknowledged <= scene_of(self.url, editor.room)
        other = self.editors["server-2"]
        assert [at for at in other.lost_at if at < away["server-2"][0]] == [], "it felt nothing"
        assert other.longest_wait(self.began, away["server-1"][1]) < 5
        assert [one.lies for one in self.witnesses.values()] == [[], []]
        assert min(one.asked for one in self.witnesses.values()) > 50


def scene_of(url, room):
    """The uuids of the objects in a room."""
    with socketio.SimpleClient(reconnection=False) as client:
        client.connect(f"{url}?roomId={room}", transports=["websocket"])
        client.emit("join-room", {"roomId": room, "userName": "Check", "password": None})
        while True:
            name, *rest = client.receive(timeout=10)
            if name == "receive-full-editor":
                return set(_uuids(rest[0]["editorData"]["scene"]["object"]))


def _uuids(node):
    yield node["uuid"]
    for child in node.get("children") or []:
        yield from _uuids(child)
