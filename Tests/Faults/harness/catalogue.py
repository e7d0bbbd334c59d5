"""The promises and who puts them to the test."""

import gc
import importlib
import pkgutil
import traceback

import promises

from .result import Result
from .size import Size


def _find() -> dict:
    found = {}
    for module in pkgutil.iter_modules(promises.__path__):
        loaded = importlib.import_module(f"promises.{module.name}")
        if hasattr(loaded, "run"):
            found[f"P{int(module.name[1:3])}"] = loaded
    return found


PROMISES = _find()
# Objects made until the youngest, then the others are looked through for garbage. A full look stops
# all clients of this process for a tenth of a second.
COLLECTING = (50_000, 20, 50)


async def run_promise(name: str, size: Size, repeat: int | None = None) -> list[Result]:
    """The rows of one promise. An experiment that fails to begin is a broken promise too."""
    module = PROMISES[name]
    gc.set_threshold(*COLLECTING)
    repeat = repeat or (module.REPEATS if size.is_full else 1)
    try:
        return await module.run(size, repeat)
    except Exception as problem:
        return [failed(name, f"{type(problem).__name__}: {problem}", traceback.format_exc())]


def failed(name: str, problem: str, details: str = "") -> Result:
    """The row of an experiment that came to no end."""
    result = Result(name, "the experiment itself", "", 0)
    result.broken(problem, details)
    return result
