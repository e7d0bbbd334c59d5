"""A stand-in for `tandem serve`: the probe routes and a real Socket.IO server that names itself.

What is under test beside it is nginx's configuration and the deployment scripts, so it can be
told to be unready, and it tells which instance answered.
"""

import asyncio
import os
import sys

import socketio
from aiohttp import web

INSTANCE = os.environ["INSTANCE_ID"]
SESSION_TAG = os.environ.get("STAND_IN_SESSION_TAG")
state = {"ready": True}
sio = socketio.AsyncServer(
    async_mode="aiohttp",
    cors_allowed_origins="*",
    ping_interval=1,
    ping_timeout=4,
    max_http_buffer_size=32 * 1024 * 1024,
)
if SESSION_TAG:
    plain_id = sio.eio.generate_id
    sio.eio.generate_id = lambda: f"{INSTANCE}.{plain_id()}"


@sio.event
async def connect(sid, environ):
    if not state["ready"]:
        raise ConnectionRefusedError("not ready")
    await sio.emit("instance", INSTANCE, to=sid)


@sio.on("echo")
async def echo(sid, data):
    return [INSTANCE, data]


@web.middleware
async def readiness(request, handler):
    """As CONTRACT R20 asks: who is not ready refuses a handshake with 503 at once."""
    handshake = request.path.startswith("/socket.io") and "sid" not in request.query
    if handshake and not state["ready"]:
        return web.json_response({"error": {"code": "NOT_READY"}}, status=503)
    response = await handler(request)
    if request.path.startswith("/api/"):
        response.headers["X-Tandem-Instance"] = INSTANCE
    return response


async def answer(request):
    return web.json_response(
        {
            "status": "healthy",
            "instance": INSTANCE,
            "linked": not os.environ.get("STAND_IN_IS_ALONE"),
            "headers": dict(request.headers),
            "path": request.path,
        }
    )


async def slow(request):
    await asyncio.sleep(0.5)
    return await answer(request)


async def ready(request):
    return web.json_response(
        {"ready": state["ready"], "reasons": [] if state["ready"] else ["told to be unready"]},
        status=200 if state["ready"] else 503,
    )


async def set_ready(request):
    state["ready"] = request.match_info["value"] == "yes"
    return web.json_response(state)


def main():
    if os.environ.get("STAND_IN_REFUSES"):
        print("bad configuration: told to refuse", file=sys.stderr)
        sys.exit(2)
    if sys.argv[1:] == ["check-config"]:
        return
    assert sys.argv[1:] == ["serve"], sys.argv
    app = web.Application(middlewares=[readiness], client_max_size=32 * 1024 * 1024)
    for path in ["/api/health", "/api/live", "/api/instance", "/metrics", f"/health/{INSTANCE}"]:
        app.router.add_get(path, answer)
    app.router.add_get("/api/ready", ready)
    app.router.add_get("/api/slow", slow)
    app.router.add_get("/set-ready/{value}", set_ready)
    sio.attach(app)
    web.run_app(
        app,
        host=os.environ.get("HOST", "127.0.0.1"),
        port=int(os.environ["PORT"]),
        print=None,
        backlog=4096,
        shutdown_timeout=0.5,
    )


main()
