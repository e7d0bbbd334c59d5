"""P11: a client resumes through another instance after `kill -9` of its own, and missed nothing."""

import asyncio
import contextlib
import time

from support.acknowledged import Acknowledged, Traffic
from support.recovering import RecoveringClient
from support.wire import ConnectRefused, Unreachable

from harness import chain
from harness.result import Result
from harness.size import Size
from harness.stage import Stage, instance_of, new_room, say
from harness.storm import WITHIN, storm_once

REPEATS = 20
STORMS = 3
BOUND = 3.0
COMMANDS = 5.0  # of Redis, for each who returns
RETRY = 0.1
NGINX_FORGETS = 3.2  # seconds; until then it leads nobody to an instance that was dead
SETTLING = 1.0  # what is edited while a scene is on its way to a newcomer reaches him merged


async def run(size: Size, repeat: int) -> list[Result]:
    watchers = 100 if size.is_full else 6
    done = f"kill -9 of the instance of {watchers} members that resume, by nginx, through another"
    time_row = Result(
        "P11",
        f"{done}: from the kill until each is recovered, with its sid",
        "test_P11_a_client_that_resumes_is_recovered",
        BOUND,
    )
    missed = Result(
        "P11",
        f"{done}: events missed, twice or out of order",
        "test_P11_a_client_that_resumes_missed_nothing",
        0,
        unit="events",
    )
    async with Stage(instances=2, nginx=True) as stage:
        for number in range(repeat):
            with time_row.attempt(), missed.attempt():
                await resume_once(stage, watchers, time_row, missed)
            say(f"P11 {number + 1}/{repeat}: {time_row.text(time_row.worst)}, "
                f"{missed.text(missed.worst)}")  # fmt: skip
            if number + 1 < repeat:
                await stage.bring_all_back()
                await asyncio.sleep(NGINX_FORGETS)
            if len(missed.problems) >= 3:
                break
    return [time_row, missed, *await storms(size, min(repeat, STORMS))]


async def storms(size: Size, repeat: int) -> list[Result]:
    clients, rooms = (2_000, 50) if size.is_full else (60, 3)
    done = f"kill -9 of the instance of {clients} members in {rooms} rooms, who resume on another"
    waited = Result(
        "P11",
        f"{done} within {WITHIN:.0f} s: what each waits from its return until it has the list",
        "test_P11_many_who_resume_at_once_are_served_at_once",
        BOUND,
    )
    asked = Result(
        "P11",
        "the same: what Redis is asked for each who returns",
        "test_P11_a_return_costs_redis_little",
        COMMANDS,
        unit="commands",
    )
    wrong = Result(
        "P11",
        "the same: members that came back as new, or without exactly what they missed",
        "test_P11_a_client_that_resumes_missed_nothing",
        0,
        unit="members",
    )
    for number in range(repeat):
        with waited.attempt(), asked.attempt(), wrong.attempt():
            await storm_once(clients, rooms, waited, asked, wrong)
        say(f"P11 {clients} at once {number + 1}/{repeat}: {waited.text(waited.worst)}, "
            f"{asked.text(asked.worst)}")  # fmt: skip
    return [waited, asked, wrong]


async def resume_once(stage: Stage, count: int, time_row: Result, missed: Result):
    victim, survivor = stage.instances
    nginx = stage.cluster.nginx
    room = await stage.cluster.room_owned_by(victim, new_room("resume"))
    author = await stage.people.host(survivor.url, room, "Author")
    reference = await stage.people.guest(survivor.url, room, "Reference")
    members = []
    for number in range(count):
        member = RecoveringClient(nginx.url, room)
        stage.people.keep(member)
        await member.connect()
        assert member.pid, "the server gave no pid"
        assert instance_of(member) == victim.name
        await member.join(room, f"R{number}")
        members.append(member)
    await asyncio.sleep(SETTLING)
    record = Acknowledged()
    traffic = Traffic(author, room, record, 0.02, "author").start()
    try:
        await asyncio.sleep(1)
        mark = reference.mark()
        killed_at = time.monotonic()
        victim.kill()
        back = await asyncio.gather(*(come_back(one, nginx.url, killed_at) for one in members))
        stage.people.clients += [after for after, _ in back]
        await asyncio.sleep(0.5)
    finally:
        await traffic.stop()
    last = await author.add(room, "the end")
    for client in (reference, *(after for after, _ in back)):
        await client.wait(
            "receive-editor-object-update",
            timeout=10,
            where=lambda data: data["objectUuid"] == last["uuid"],
        )
    whole = chain.seen(reference.events)
    wrong = 0
    for before, (after, seconds) in zip(members, back):
        assert instance_of(after) == survivor.name
        assert after.recovered, f"not recovered: pid {before.pid} → {after.pid}"
        assert after.sid == before.sid, f"another sid: {before.sid} → {after.sid}"
        time_row.measured(seconds)
        mine = chain.seen(after.events)
        # A member that joined later than the reference was shown fewer edits at the start.
        wanted = [one for one in whole if one.version >= mine[0].version]
        found = chain.order_problems(mine)
        if difference := chain.difference(mine, wanted):
            found.append(difference)
        wrong += len(set(wanted) ^ set(mine)) + len(mine) - len(set(mine))
        for one in found[:1]:
            missed.broken(one)
    missed.measured(wrong)
    assert record.count > 20, "nothing was acknowledged: nothing is proved"
    told = [one.name for one in reference.events[mark:] if one.name in ("user-left", "user-joined")]
    assert not told, f"others were told of those who came back: {told[:4]}"
    assert len(reference.users) == count + 2, reference.user_names
    for client in (author, reference, *(after for after, _ in back)):
        await client.close()


async def come_back(member: RecoveringClient, url: str, killed_at: float):
    """As the stock client: tries again until somebody answers."""
    with contextlib.suppress(AssertionError):
        await member.wait_closed(5)
    end = killed_at + 20
    while True:
        try:
            after = await member.resume(url)
            return after, time.monotonic() - killed_at
        except (Unreachable, ConnectRefused, OSError):
            if time.monotonic() > end:
                raise
            await asyncio.sleep(RETRY)
