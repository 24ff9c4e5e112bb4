"""MCP and OpenEnv: a tool and an environment; MCP by its own package's client."""

import asyncio
import json
import sys
from collections.abc import Iterator

import pytest
from mcp import Client, StdioServerParameters
from websockets.asyncio.client import connect

from tests.contract.http_client import REAL, HttpServing

pytestmark = [pytest.mark.guest, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServing]:
    with HttpServing(REAL, "--workers", "1", "--mcp") as serving:
        yield serving


async def tool(client: Client, code: str, **more: str) -> dict:
    result = await client.call_tool("run_python", {"code": code, **more})
    assert not result.is_error, result
    return result.structured_content


async def use(client: Client) -> None:
    tools = await client.list_tools()
    assert [one.name for one in tools.tools] == ["run_python"]
    said = await tool(client, "print('a')\n6 * 7")
    assert (said["status"], said["stdout"], said["value"]) == ("ok", "a\n", "42")
    await tool(client, "x = 1", session="s")
    assert (await tool(client, "x", session="s"))["value"] == "1"
    raised = await tool(client, "x")
    assert raised["status"] == "error"
    assert raised["error"].endswith("NameError: name 'x' is not defined")
    assert (await tool(client, "input()", stdin="given"))["value"] == "'given'"


def test_mcps_own_client_uses_the_tool_over_http(server):
    async def main() -> None:
        async with Client(f"{server.url}/mcp") as client:
            await use(client)

    asyncio.run(main())


def test_mcps_own_client_uses_the_tool_over_stdio():
    async def main() -> None:
        command = StdioServerParameters(
            command=sys.executable, args=["-m", "sandbox_wasm.cli", "mcp"]
        )
        async with Client(command) as client:
            await use(client)

    asyncio.run(main())


def test_openenvs_messages_play_an_episode(server):
    async def main() -> None:
        async with connect(server.url.replace("http", "ws") + "/ws") as socket:

            async def say(kind: str, **data: str) -> dict:
                await socket.send(json.dumps({"type": kind, "data": data} if data else
                                             {"type": kind}))  # fmt: skip
                return json.loads(await socket.recv())

            async def step(code: str) -> tuple:
                said = await say("step", code=code)
                assert said["type"] == "observation"
                seen = said["data"]["observation"]
                return seen["stdout"], seen["stderr"], seen["exit_code"]

            first = await say("reset")
            assert first["data"] == {
                "observation": {"stdout": "", "stderr": "", "exit_code": 0},
                "reward": None, "done": False,
            }  # fmt: skip
            assert await step("x = 1; print('a')") == ("a\n", "", 0)
            assert await step("x + 1") == ("2\n", "", 0)
            stdout, stderr, exit_code = await step("1/0")
            assert (stdout, exit_code) == ("", 1)
            assert stderr.endswith("ZeroDivisionError: division by zero\n")
            state = (await say("state"))["data"]
            assert (state["step_count"], state["last_exit_code"]) == (3, 1)
            await say("reset")
            assert (await step("x"))[2] == 1
            for message in ("{", "[]", '{"type": "fly"}', '{"type": "step"}', "x" * 1000):
                await socket.send(message)
                assert json.loads(await socket.recv())["type"] == "error"
            await socket.send('{"type": "close"}')
            with pytest.raises(Exception, match="1000"):
                await socket.recv()

    asyncio.run(main())
