"""Waiting with a bound.

Where a test names none, the bound promises nothing: it only ends a wait that is in vain, on a
machine that does much else.
"""

import asyncio
import inspect
import time


async def eventually(condition, timeout: float = 10.0, step: float = 0.03, what: str = ""):
    """The first true answer of `condition` (a function, also an async one). Fails with its last
    answer once the bound is over."""
    end = time.monotonic() + timeout
    while True:
        answer = condition()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > end:
            name = what or getattr(condition, "__name__", "condition")
            raise AssertionError(f"not within {timeout} s: {name} (last answer: {answer!r})")
        await asyncio.sleep(step)
