"""A Socket.IO server for load tools: rooms, and broadcasts that can go wrong.

    python misbehaving.py PORT [drop|repeat|swap]

`join ROOM` is answered by `joined`, `message` goes to the others of the room as it came. With a
fault, the hundredth message of all is dropped, sent twice, or sent after the one that follows it.
"""

import sys

import socketio
from aiohttp import web

io = socketio.AsyncServer(async_mode="aiohttp", cors_allowed_origins="*")
FAULT = sys.argv[2] if len(sys.argv) > 2 else ""
state = {"messages": 0, "kept": None}


@io.on("join")
async def join(sid, room):
    await io.enter_room(sid, room)
    await io.emit("joined", room, to=sid)


@io.on("message")
async def message(sid, body):
    state["messages"] += 1
    turn = [body]
    if state["messages"] == 100 and FAULT == "drop":
        turn = []
    elif state["messages"] == 100 and FAULT == "repeat":
        turn = [body, body]
    elif state["messages"] == 100 and FAULT == "swap":
        state["kept"], turn = body, []
    elif state["kept"]:
        turn, state["kept"] = [body, state["kept"]], None
    for one in turn:
        await io.emit("message", one, room=body["room"], skip_sid=sid)
    return "taken"


if __name__ == "__main__":
    app = web.Application()
    io.attach(app)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
