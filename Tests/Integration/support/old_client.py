"""A stock client of Socket.IO 2's time as a program: commands come in as lines of JSON, and what it
hears goes out the same way. Run with the packages of requirements-old-clients.txt.

    in   {"do": "connect", "url": "…", "transports": ["polling"]}
         {"do": "emit", "name": "…", "args": […], "call": 1}       `call`: the ack is wanted
         {"do": "look"}                                            asks for a line `state`
         {"do": "close"}
    out  {"heard": "…", "args": […]}                               `connect`, `disconnect` as well
         {"call": 1, "answer": […]}
         {"state": {"sid": "…", "transport": "…"}}
         {"failed": "…"}                                           connecting did not work
"""

import asyncio
import json
import sys

import socketio


def say(**line):
    print(json.dumps(line), flush=True)


class Everything(socketio.AsyncClientNamespace):
    async def trigger_event(self, event, *args):
        say(heard=event, args=args)


def packets(args: list):
    return tuple(args) if len(args) != 1 else args[0]


async def perform(client: socketio.AsyncClient, command: dict):
    if command["do"] == "connect":
        try:
            await client.connect(command["url"], transports=command["transports"])
        except socketio.exceptions.ConnectionError as error:
            say(failed=str(error))
    elif command["do"] == "emit":
        number = command.get("call")
        answer = None if number is None else lambda *args: say(call=number, answer=args)
        await client.emit(command["name"], packets(command["args"]), callback=answer)
    elif command["do"] == "look":
        say(state={"sid": client.sid, "transport": client.transport()})


async def main():
    client = socketio.AsyncClient(
        reconnection="--reconnect" in sys.argv, reconnection_delay=1, reconnection_delay_max=2
    )
    client.register_namespace(Everything("/"))
    lines = asyncio.StreamReader(limit=1 << 26)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    while line := await lines.readline():
        command = json.loads(line)
        if command["do"] == "close":
            await client.disconnect()
            break
        await perform(client, command)


asyncio.run(main())
