"""Writes the tables of docs/LIMITS.md from the doc comments of the Limits types.

    python3 scripts/lib/limits_table.py            prints the page as it should be
    python3 scripts/lib/limits_table.py --write    writes it

What stands above the marker line in docs/LIMITS.md is written by hand and kept.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "LIMITS.md"
MARKER = "<!-- The tables below are written by scripts/lib/limits_table.py. -->"

# title, type as shown, file, declaration
TYPES = [
    ("Transports and plain HTTP", "ServerOptions.Limits",
     "Shell/SocketIOServer/Engine/ServerOptions.swift", "struct Limits"),
    ("Requests for sessions of other instances", "SessionForwarding.Limits",
     "Shell/SocketIOServer/Forwarding/SessionForwarding.swift", "struct Limits"),
    ("WebSocket", "WebSocket.Limits", "Core/WebSocket/Limits.swift", "struct Limits"),
    ("Socket.IO", "SocketLimits", "Shell/SocketIOServer/API/SocketLimits.swift",
     "struct SocketLimits"),
    ("Room service", "ServiceLimits", "Shell/RoomService/RoomServiceOptions.swift",
     "struct ServiceLimits"),
    ("Rooms", "RoomLimits", "Core/Rooms/Limits.swift", "struct RoomLimits"),
    ("Typed text", "RoomRules", "Core/Rooms/Limits.swift", "enum RoomRules"),
    ("Scenes", "SceneLimits", "Core/Rooms/Scene/SceneLimits.swift", "enum SceneLimits"),
    ("Passwords", "PasswordHasher.Limits", "Shell/Secrets/PasswordHasher.swift", "struct Limits"),
    ("Log behind a checkpoint", "LogLimits", "Shell/RoomStore/RoomStoreLimits.swift",
     "struct LogLimits"),
    ("Room stores", "RoomStoreLimits", "Shell/RoomStore/RoomStoreLimits.swift",
     "struct RoomStoreLimits"),
    ("Redis", "RedisLimits", "Shell/Redis/RedisLimits.swift", "struct RedisLimits"),
    ("Relay", "RelayLimits", "Shell/Relay/RelayOptions.swift", "struct RelayLimits"),
    ("MessagePack", "MessagePackLimits", "Shell/Relay/MessagePack/MessagePackLimits.swift",
     "struct MessagePackLimits"),
]
NUMBER = re.compile(r"[\d_]+(\s*(\*|<<|\+)\s*[\d_]+)*")
DURATION = re.compile(r"\.(seconds|milliseconds)\(([\d_]+)\)")
PROPERTY = re.compile(r"(?:public |package )?(?:static )?(?:var|let) (\w+)(?:: [\w.]+)? = (.+)")


def shown(value: str) -> str | None:
    """The default as people read it; None for what is no limit."""
    if NUMBER.fullmatch(value):
        return f"{eval(value, {'__builtins__': {}}):,}"  # digits and operators only
    if found := DURATION.fullmatch(value):
        number = int(found[2])
        return f"{number:,} s" if found[1] == "seconds" else f"{number:,} ms"
    if found := re.fullmatch(r"(\d+)\.\.\.(\d+)", value):
        return f"{found[1]} to {found[2]}"
    return None


def body(file: str, declaration: str) -> list[str]:
    """The lines of a type's declaration."""
    lines = (ROOT / "Sources" / file).read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if re.search(rf"\b{declaration}\b", line))
    indent = re.match(r" *", lines[start])[0]
    end = next(i for i in range(start, len(lines)) if lines[i] == indent + "}")
    return [line for line in lines[start + 1 : end] if re.match(indent + r"    \S", line)]


def rows(file: str, declaration: str) -> list[str]:
    found, comment, last = [], [], ""
    for line in map(str.strip, body(file, declaration)):
        if line.startswith("///"):
            comment.append(line[3:].strip())
            continue
        if match := PROPERTY.fullmatch(line):
            default = shown(match[2])
            if default is not None:
                last = " ".join(filter(None, comment)) or "With the one above."
                found.append(f"| `{match[1]}` | {default} | {last} |")
        comment = []
    return found


def page() -> str:
    intro = PAGE.read_text().split(MARKER)[0]
    parts = [intro + MARKER]
    for title, name, file, declaration in TYPES:
        table = "\n".join(rows(file, declaration))
        parts.append(f"## {title} (`{name}`)\n\n| limit | default | what, and what happens beyond |"
                     f"\n|---|---|---|\n{table}")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page())
    else:
        print(page(), end="")
