"""How long the browser editor waits, and for what."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Timing:
    """The editor's own delays, in seconds."""

    after_connect: float = 0.5  # automatic rejoin, then get-rooms
    host_upload: float = 0.5  # after room-created and each joined-room as host
    guest_sync: float = 1.0  # after each joined-room as guest
    empty_room_upload: float = 1.0
    first_retries: float = 0.1  # as many attempts as there are URLs
    later_retries: float = 2.0
    connect_timeout: float = 8.0
    join_poll: float = 0.1
    upload_wait: float = 30.0
    upload_retry: float = 5.0
    # How long applying a scene takes: at least, and for each megabyte.
    apply_least: float = 0.1
    apply_megabyte: float = 0.2


def hurried(**changes) -> Timing:
    """The editor's timing with some delays changed, for tests about something else."""
    return replace(Timing(), **changes)
