"""The official client of the Model Context Protocol: finds the retrieval tool and calls it.

Arguments: the server's URL, and the id of a text whose lines are one, two and three."""

import asyncio
import sys

from mcp import Client

URL, ID = sys.argv[1:]


def equal(one, other):
    assert one == other, f"{one!r} is not {other!r}"


async def use(mode):
    async with Client(URL, mode=mode) as client:
        (tool,) = (await client.list_tools()).tools
        equal(tool.name, "headroom_retrieve")
        equal(tool.annotations.read_only_hint, True)

        async def answer(**arguments):
            result = await client.call_tool(tool.name, arguments)
            (content,) = result.content
            return content.text, result.is_error

        equal(await answer(id=ID), ("one\ntwo\nthree", False))
        equal(await answer(id=ID, lines="2"), ("[line 2 of 3]\ntwo", False))
        text, is_error = await answer(id="00000000000000aa")
        assert is_error and "gone" in text, text
        text, is_error = await answer(id=ID, pattern="(")
        assert is_error and "can't be used" in text, text


# With a handshake, and as of the version of July 2026, which has none.
for mode in ["legacy", "auto"]:
    asyncio.run(use(mode))
