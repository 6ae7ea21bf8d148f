"""What the scripts of both SDKs share: running scenarios, and noting each request as it leaves the SDK."""

import asyncio
import inspect
import json
import sys
import time
import urllib.request

SENT = []
# What the scripted provider calls a tool with.
INPUT = {"path": "/srv/a.py", "at": ["\u00e9"]}


def note(request):
    SENT.append({"headers": request.headers.multi_items(), "body": request.read().decode()})


async def note_async(request):
    await request.aread()
    note(request)


HOOKS = {"request": [note]}
ASYNC_HOOKS = {"request": [note_async]}


def run(scenarios):
    """Runs the scenarios that the arguments name, and prints all requests as a JSON array."""
    for name in sys.argv[1:]:
        result = scenarios[name]()
        if inspect.isawaitable(result):
            asyncio.run(result)
    print(json.dumps(SENT))


def raises(kind, call):
    """The exception that `call` raises, which is of exactly this class."""
    try:
        result = call()
    except Exception as error:
        assert type(error) is kind, repr(error)
        return error
    raise AssertionError(f"{kind.__name__} expected, got {result!r}")


def equal(one, other):
    assert one == other, f"{one!r} is not {other!r}"


def until_a_job_is_done(proxy):
    """Waits for the proxy's own worker, which a busy machine lets wait for long."""
    end = time.monotonic() + 120
    while not json.load(urllib.request.urlopen(f"{proxy}/stats"))["jobs"]["done"]:
        assert time.monotonic() < end, "the job is not done"
        time.sleep(0.05)


def source(seed, lines=300):
    """Text as a tool prints it that compresses well: numbered source lines with much repetition."""
    code = [
        text
        for number in range(lines // 3)
        for text in (
            f"    if value_{seed}_{number % 7} is None:  # \u00e9",
            f'        raise ValueError("value_{seed}_{number % 7} is missing\\t")',
            "",
        )
    ]
    return "".join(f"{line:>6}\u2192{text}\n" for line, text in enumerate(code, 1))
