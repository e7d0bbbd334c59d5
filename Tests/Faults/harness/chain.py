"""What each member of a room was shown, as a chain of hashes, to compare order and completeness."""

import hashlib
from dataclasses import dataclass

from support.wire import Event

EDITS = ("receive-editor-object-update", "receive-editor-object-removal")


@dataclass(frozen=True)
class Seen:
    """One edit as a member was shown it."""

    version: int
    object: str
    step: int
    author: str

    @classmethod
    def of(cls, event: Event) -> "Seen":
        data = event.arg
        node = (data.get("objectData") or {}).get("object") or {}
        own = node.get("userData") or {}
        return cls(
            data["version"],
            data.get("objectUuid") or data.get("objectId"),
            own.get("step", -1),
            own.get("author", ""),
        )


def seen(events: list[Event]) -> list[Seen]:
    return [Seen.of(event) for event in events if event.name in EDITS]


def digest(chain: list[Seen]) -> str:
    """One value for a sequence: equal only for the same edits in the same order."""
    state = b""
    for one in chain:
        text = f"{one.version} {one.object} {one.step} {one.author}".encode()
        state = hashlib.sha256(state + text).digest()
    return state.hex()[:16]


def order_problems(chain: list[Seen]) -> list[str]:
    """Versions that fall or come twice."""
    return [
        f"{after} after {before}"
        for before, after in zip(chain, chain[1:])
        if after.version <= before.version
    ]


def difference(mine: list[Seen], theirs: list[Seen]) -> str:
    """Empty for the same sequence, else the first place where two differ."""
    if digest(mine) == digest(theirs):
        return ""
    for place, (here, there) in enumerate(zip(mine, theirs)):
        if here != there:
            return f"at {place} of {len(mine)}/{len(theirs)}: {here} / {there}"
    return f"{len(mine)} edits / {len(theirs)} edits"
