"""Trainers' own clients against a server; run by a Python that has them, not by the tests' own.

    python tests/contract/http_real_clients.py http://127.0.0.1:8080

It needs sandbox-fusion, verl, tinker-cookbook and openenv-core (scripts/test_adapters.sh). Of verl
the package of its SandboxFusion reward is loaded by its path: verl itself needs ray and torch.
"""

import asyncio
import importlib.util
import sys
from collections.abc import Callable
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

RIGHT = "```python\nprint(int(input()) * 2)\n```"
WRONG = "```python\nprint(int(input()) * 3)\n```"
CASES = {"inputs": ["1\n", "21\n"], "outputs": ["2\n", "42\n"]}
CALLS = {"inputs": ["[1, 2]\n3", "[5]\n1"], "outputs": ["6", "6"], "fn_name": "total"}


def verl(url: str) -> None:
    """verl's compute_score, with its own retries and verdicts."""
    folder = Path(str(distribution("verl").locate_file("verl/utils/reward_score/sandbox_fusion")))
    spec = importlib.util.spec_from_file_location(
        "verl_reward", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    reward: Any = importlib.util.module_from_spec(spec)
    sys.modules["verl_reward"] = reward
    spec.loader.exec_module(reward)

    def score(completion: str, cases: dict, **more: Any) -> tuple[float, list]:
        return reward.compute_score(f"{url}/run_code", None, 1024, completion, cases, **more)

    assert score(RIGHT, CASES)[0] == 1.0
    assert score(WRONG, CASES)[0] == 0.0
    total = "```python\ndef total(numbers, more):\n    return sum(numbers) + more\n```"
    assert score(total, CALLS)[0] == 1.0
    assert score("```python\ndef total(a, b):\n    return 0\n```", CALLS)[0] == 0.0
    hangs = "```python\nwhile True: pass\n```"
    value, details = score(hangs, CASES, timeout=1)
    assert (value, {one["status"] for one in details}) == (0.0, {"timeout"}), details
    value, details = score("```python\n1 / 0\n```", CASES)
    assert {one["status"] for one in details} == {"runtime_error"}, details
    assert "ZeroDivisionError" in details[0]["stderr"]


def sandbox_fusion(url: str) -> None:
    """SandboxFusion's own client, sync and async."""
    import sandbox_fusion as fusion  # noqa: PLC0415 - absent from the tests' own Python

    fusion.set_sandbox_endpoint(url)
    asked = fusion.RunCodeRequest(code="print(input())", language="python", stdin="hello")
    for answer in (fusion.run_code(asked), asyncio.run(fusion.run_code_async(asked))):
        assert answer.status == fusion.RunStatus.Success
        assert answer.run_result.stdout == "hello\n"
    cells = ["a = 1", "a + 1", "raise ValueError('x')"]
    notebook = fusion.run_jupyter(fusion.RunJupyterRequest(cells=cells))
    assert notebook.cells[1].display == [{"text/plain": "2"}]
    assert notebook.cells[2].error[0]["ename"] == "ValueError"
    assert "this sandbox runs Python alone" in refusal_of(
        lambda: fusion.run_code(fusion.RunCodeRequest(code="x", language="cpp"), max_attempts=1)
    )


def refusal_of(ask: Callable[[], object]) -> str:
    """What a client raises; it has no exact type for it."""
    try:
        ask()
    except Exception as exc:  # noqa: BLE001
        return str(exc)
    return "nothing was raised"


def tinker(url: str) -> None:
    """tinker-cookbook's client, with a file."""
    folder = Path(str(distribution("tinker-cookbook").locate_file("tinker_cookbook/sandbox")))
    spec = importlib.util.spec_from_file_location("tinker_client", folder / "sandboxfusion.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    async def main() -> None:
        client = module.SandboxFusionClient(f"{url}/run_code")
        succeeded, answer = await client.run("print(1)", {}, 10)
        assert succeeded, answer
        succeeded, answer = await client.run("print(open('a.txt').read())", {"a.txt": "x"}, 10)
        assert succeeded, answer
        assert answer["run_result"]["stdout"] == "x\n"
        await client.close()

    asyncio.run(main())


def openenv(url: str) -> None:
    """OpenEnv's generic client, as its coding_env's is built on."""
    from openenv.core.generic_client import GenericEnvClient  # noqa: PLC0415 - as above

    async def main() -> None:
        async with GenericEnvClient(base_url=url) as env:
            await env.reset()
            await env.step({"code": "x = 41"})
            result = await env.step({"code": "print(x + 1)"})
            assert result.observation["stdout"] == "42\n", result
            assert result.observation["exit_code"] == 0
            assert (await env.state())["step_count"] == 2

    asyncio.run(main())


if __name__ == "__main__":
    for name, check in (
        ("verl", verl), ("sandbox-fusion", sandbox_fusion), ("tinker-cookbook", tinker),
        ("openenv-core", openenv),
    ):  # fmt: skip
        check(sys.argv[1])
        sys.stdout.write(f"{name} {version(name)}: ok\n")
