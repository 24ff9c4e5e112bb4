"""A cluster of three nodes, which are Ray's on this machine; one of them is lost.

What several machines have and these have not is a network between them and disks of their own.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from ray.cluster_utils import Cluster as RayNodes

from azr.cluster import nodes
from azr.cluster.opening import Cluster, open_cluster
from azr.cluster.push import State
from azr.config.run import ClusterConfig, ModelConfig, RolloutConfig, RunConfig, SandboxConfig
from azr.errors import ConfigError
from azr.run.players import open_executor
from azr.types import Mode, Prompt, Role, Rollout
from sandbox_wasm.types import Job
from tests.tiny import make_tiny_model

pytestmark = [
    pytest.mark.slow,
    pytest.mark.guest,
    pytest.mark.timeout(900),
    # Ray's, vLLM's and torch's own affairs; nobody here can act on them
    pytest.mark.filterwarnings("default"),
]

TIMEOUT_S = 600.0


@pytest.fixture(scope="module")
def ray_nodes() -> Generator[RayNodes]:
    started = RayNodes(initialize_head=True, head_node_args={"num_cpus": 2})
    for _ in range(2):
        started.add_node(num_cpus=2)
    yield started
    started.shutdown()


def test_a_run_that_wants_more_gpus_than_there_are_is_refused_in_one_line(
    ray_nodes: RayNodes, tmp_path: Path
) -> None:
    node = ray_nodes.add_node(num_cpus=1, num_gpus=2)  # Ray believes it
    model = make_tiny_model(tmp_path / "tiny")
    cluster = ("--cluster.learners", "2", "--cluster.engines", "1")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "azr.cli.main", "train", "--model.name", str(model)),
            *("--runs", str(tmp_path / "runs"), "--cluster.address", ray_nodes.address, *cluster),
        ],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    ray_nodes.remove_node(node)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert "= 2 + 1 x 1 = 3 GPUs, but the cluster has 2: lower one of them, or add nodes" in line
    assert not (tmp_path / "runs").exists()


@pytest.fixture(scope="module")
def cluster(ray_nodes: RayNodes, tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    """Two engines and a learner; version 0 is adopted."""
    folder = tmp_path_factory.mktemp("nodes")
    model = make_tiny_model(folder / "tiny", std=0.05)
    config = RunConfig(
        name="run",
        runs=str(folder),
        model=ModelConfig(name=str(model)),
        rollout=RolloutConfig(max_prompt_tokens=200, max_completion_tokens=60, kv_cache_gib=0.05),
        sandbox=SandboxConfig(workers=1),
        cluster=ClusterConfig(
            learners=1, engines=2, address=ray_nodes.address, timeout_s=TIMEOUT_S
        ),
    )
    with open_cluster(config, lambda _: None) as opened:
        learners = opened.learner(None)
        with opened.opened_policy(None) as policy:
            run(policy.adopt(learners.weights, version=0))
            yield opened


def run(coroutine: Any) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, TIMEOUT_S))


async def sample_all(cluster: Cluster, number: int = 8) -> list[Rollout]:
    asked = [
        Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text=f"task {i}", seed=i)
        for i in range(number)
    ]
    return await asyncio.gather(*map(cluster.policy.sample, asked))


def raylet_of(pid: int) -> int:
    return psutil.Process(pid).ppid()


def test_nodes_that_differ_or_do_not_see_the_model_are_refused(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del cluster  # it is joined
    with pytest.raises(ConfigError, match=r"does not see .*config\.json: .* all nodes share"):
        nodes.check_nodes(tmp_path, tmp_path / "missing")
    here = {**nodes.versions(), "torch": "2.12.0"}
    monkeypatch.setattr(nodes, "versions", lambda: here)
    with pytest.raises(ConfigError, match=r"has torch 2\.13\S+, this one 2\.12\.0"):
        nodes.check_nodes(tmp_path, None)


def test_each_node_has_a_sandbox_and_one_that_is_killed_loses_no_program(cluster: Cluster) -> None:
    jobs = [Job(f"job {i}", f"def f(x): return x + {i}", calls=("1",)) for i in range(60)]
    assert len(set(cluster.sandbox.endpoints)) == 3
    assert not Path(cluster.sandbox.client_key).stat().st_mode & 0o077, "it is nobody else's"
    with open_executor(cluster.sandbox) as client:
        expected = client.run(jobs)
        victim, *others = servers(cluster.sandbox)
        there = {victim.pid, *(other.pid for other in others)}
        victim.kill()
        assert client.run(jobs) == expected
    deadline = time.monotonic() + TIMEOUT_S
    while not {server.pid for server in servers(cluster.sandbox)} - there:  # it comes back
        assert time.monotonic() < deadline
        time.sleep(0.1)


def servers(config: SandboxConfig) -> list[psutil.Process]:
    """Each is followed by its workers."""
    found = [
        (process, process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
    ]
    return [p for p, words in found if "serve" in words and {*words} & {*config.endpoints}]


def test_an_engine_of_a_lost_node_comes_back_on_another(
    cluster: Cluster, ray_nodes: RayNodes
) -> None:
    policy, learners = cluster.policy, cluster._learners
    assert learners is not None
    before = run(sample_all(cluster))
    home = {engine.number: raylet_of(engine.pid) for engine in policy.fleet.engines}
    assert len(set(home.values())) == 2, "engines are spread over the nodes"
    spared = raylet_of(learners.pids[0])
    lost = {pid_of(node): node for node in ray_nodes.worker_nodes if pid_of(node) != spared}
    victim = next(engine for engine in policy.fleet.engines if home[engine.number] in lost)

    async def play() -> list[Rollout]:
        actor = psutil.Process(victim.pid)
        actor.suspend()  # or it might have answered all that it was asked before it is lost
        tasks = asyncio.create_task(sample_all(cluster, 24))
        while not victim.open:  # noqa: ASYNC110 - the task begins it
            await asyncio.sleep(0.01)
        ray_nodes.remove_node(lost[home[victim.number]], allow_graceful=False)
        rollouts = await tasks
        with suppress(psutil.NoSuchProcess):
            actor.resume()  # it has a node to miss, and ends
        while victim.state is not State.LIVE:  # noqa: ASYNC110 - a thread does it
            await asyncio.sleep(0.2)
        return rollouts

    after = run(play())
    assert [r.completion_ids for r in after[:8]] == [r.completion_ids for r in before]
    assert raylet_of(victim.pid) != home[victim.number]
    assert {r.policy_version for r in run(sample_all(cluster))} == {0}


def pid_of(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)
