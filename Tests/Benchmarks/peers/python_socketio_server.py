"""The peer: rooms on python-socketio and uvicorn, as one puts them together from their documents.

    python python_socketio_server.py PORT

`join` with a room's name is answered by `joined`, `leave` by `left`; `message` with a room's name
and a payload goes to all others in that room.
"""

import sys

import socketio
import uvicorn

server = socketio.AsyncServer(
    async_mode="asgi", cors_allowed_origins="*", ping_interval=25, ping_timeout=20
)


@server.on("join")
async def join(sid, room):
    await server.enter_room(sid, room)
    await server.emit("joined", to=sid)


@server.on("leave")
async def leave(sid, room):
    await server.leave_room(sid, room)
    await server.emit("left", to=sid)


@server.on("message")
async def message(sid, room, payload):
    await server.emit("message", (room, payload), room=room, skip_sid=sid)


if __name__ == "__main__":
    uvicorn.run(
        socketio.ASGIApp(server),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        backlog=4096,
        log_level="warning",
    )
