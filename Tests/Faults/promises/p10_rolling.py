"""P10: one instance after another is asked to end (SIGTERM) and started anew, under traffic."""

import asyncio
import time

from harness.crowd import Crowd
from harness.prober import Doorkeeper, Prober
from harness.result import Result
from harness.size import Size
from harness.stage import Stage, say

REPEATS = 5
AWAY = 3.0
NOT_READY = 1.0  # seconds from SIGTERM to the last "ready"


async def run(size: Size, repeat: int) -> list[Result]:
    crowd = f"{size.users} editors in {size.rooms} rooms on {size.instances} instances"
    done = f"rolling restart under {crowd}"
    test = "test_P10_a_rolling_restart_costs_one_reconnection"
    count = Result(
        "P10",
        f"{done}: reconnections of one client while one instance restarts, 0 for clients of others",
        test,
        1,
        unit="times",
    )
    away = Result("P10", f"{done}: from the close to the room again", test, AWAY)
    truth = Result(
        "P10",
        f"{done}: false answers (ready and closed, unready and open, nginx without an instance)",
        "test_P10_ready_and_health_tell_the_truth",
        0,
        unit="answers",
    )
    async with Stage(instances=size.instances, nginx=True) as stage:
        crowd = await Crowd.open(stage, size, stage.cluster.nginx.url)
        for number in range(repeat):
            with count.attempt(), away.attempt(), truth.attempt():
                await roll_once(stage, crowd, size, count, away, truth)
            say(f"P10 {number + 1}/{repeat}: {count.text(count.worst)}, {away.text(away.worst)}")
    return [count, away, truth]


async def roll_once(stage, crowd, size, count: Result, away: Result, truth: Result):
    through_nginx = Prober(stage.cluster.nginx.url + "/api/health").start()
    doors = [Doorkeeper(one.url).start() for one in stage.instances]
    probers = {one.name: Prober(one.url + "/api/ready").start() for one in stage.instances}
    lies = []
    try:
        for instance in stage.instances:
            await crowd.clear()
            lies += await restart(stage, crowd, instance, probers[instance.name], size, count, away)
    finally:
        await crowd.stop_drawing()
        for one in (through_nginx, *doors, *probers.values()):
            await one.stop()
    lies += [f"nginx answered {one.status}" for one in through_nginx.answers if one.status != 200]
    lies += [lie for door in doors for lie in door.lies]
    assert len(through_nginx.answers) > 20 and all(door.tried > 3 for door in doors)
    truth.measured(len(lies))
    for lie in lies[:3]:
        truth.broken(lie)
    complaints = crowd.complaints()
    assert not complaints, complaints[:3]


async def restart(stage, crowd, instance, prober, size, count, away) -> list[str]:
    """Gives what was not true about readiness."""
    own = crowd.on(instance.name)
    crowd.draw(size.pause)
    await asyncio.sleep(0.5)
    asked_at = time.monotonic()
    instance.terminate()
    assert await instance.ended(60) == 0, f"exit code {instance.exit_code}"
    ended_at = time.monotonic()
    await instance.start()
    await asyncio.sleep(1.5)
    await crowd.stop_drawing()
    await crowd.settled()
    stage.cluster.note_pids()
    for editor in crowd.editors:
        closes = editor.heard("(disconnected)")
        count.measured(len(closes))
        if editor not in own:
            assert not closes, f"{editor.name} was on another instance and was cut"
        for close in closes:
            back = [one.at for one in editor.heard("joined-room") if one.at > close.at]
            assert back, f"{editor.name} did not come back"
            away.measured(back[0] - close.at)
    if not own:
        away.measured(0)
    late = [one for one in prober.between(asked_at + NOT_READY, ended_at) if one.status == 200]
    return [f"ready {one.asked_at - asked_at:.2f} s after SIGTERM" for one in late]
