"""Learners and engines as actors of a real Ray on this machine's CPUs (gloo), some of them killed.

One cluster for all of the file: what takes time is the start of processes, each of which loads vLLM
or torch. The model is tiny.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray

from azr.cluster.opening import Cluster, open_cluster
from azr.cluster.push import Engine, Push, State
from azr.config.run import ClusterConfig, LearnerConfig, ModelConfig, RolloutConfig, RunConfig
from azr.errors import StaleWeights, WorkerLost
from azr.models.checkpoint import latest_checkpoint, save_checkpoint
from azr.types import Experience, Mode, Prompt, Role, Rollout, Verdict
from tests.tiny import make_tiny_model

pytestmark = [
    pytest.mark.timeout(1800),
    # Ray's, vLLM's and torch's own affairs; nobody here can act on them
    pytest.mark.filterwarnings("default"),
]

TIMEOUT_S = 900.0


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    """Two learners and two engines in bfloat16, as on GPUs; version 0 is adopted.

    Tokens may be an update old. Whole runs in which none may: test_cluster_run.py.
    """
    folder = tmp_path_factory.mktemp("cluster")
    model = make_tiny_model(folder / "tiny", std=0.05)
    config = RunConfig(
        name="run",
        runs=str(folder),
        model=ModelConfig(name=str(model), dtype="bfloat16"),
        learner=LearnerConfig(lr=1e-4, micro_batch_tokens=256),
        rollout=RolloutConfig(
            dtype="bfloat16",
            max_prompt_tokens=200,
            max_completion_tokens=120,
            max_staleness=1,
            max_concurrent=16,
            kv_cache_gib=0.05,
        ),
        cluster=ClusterConfig(
            learners=2, engines=2, address="local", restarts=20, timeout_s=TIMEOUT_S
        ),
    )
    with open_cluster(config, lambda _: None) as cluster:
        learners = cluster.learner(None)
        with cluster.opened_policy(None) as policy:
            run(policy.adopt(learners.weights, version=0))
            yield cluster


@pytest.fixture
def cluster(opened: Cluster) -> Cluster:
    """It, when both engines sample: a test before may have left one that was still starting."""
    wait_for(lambda: len(opened.policy.fleet.within(State.LIVE)) == 2)
    return opened


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, TIMEOUT_S))


def prompts(number: int = 8) -> list[Prompt]:
    return [
        Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text=f"task {i} " * (1 + i % 5), seed=i)
        for i in range(number)
    ]


async def sample_all(cluster: Cluster, asked: Sequence[Prompt]) -> list[Rollout]:
    return await asyncio.gather(*map(cluster.policy.sample, asked))


def learners_of(cluster: Cluster) -> Any:
    assert cluster._learners is not None
    return cluster._learners


def update(cluster: Cluster, rollouts: Sequence[Rollout]) -> dict[str, float]:
    experiences = [Experience(rollout=r, verdict=Verdict.PASSED, reward=0.0) for r in rollouts]
    advantages = [(1.0, -1.0)[i % 2] for i in range(len(experiences))]
    return learners_of(cluster).update(experiences, advantages)


def test_both_engines_sample_and_what_the_learners_learn_reaches_them(cluster: Cluster) -> None:
    rollouts = run(sample_all(cluster, prompts(16)))
    assert {r.policy_version for r in rollouts} == {0}
    found = update(cluster, rollouts)
    assert found["skipped"] == 0
    assert found["mismatch/mean_abs"] < 0.05, "engines and learners are one model"
    run(cluster.policy.adopt(learners_of(cluster).weights, version=1))
    stats = cluster.policy.stats()
    assert 1 <= stats["rollout/imbalance"] < 2, "both sampled"
    assert stats["rollout/requests"] == 16
    assert stats["sync/probe_mean_abs"] < 0.25
    assert {r.policy_version for r in run(sample_all(cluster, prompts()))} == {1}


def test_a_push_goes_through_what_is_under_way(cluster: Cluster) -> None:
    """Completions go on with the new weights; each token is said to be of those that sampled it."""
    learners, version = learners_of(cluster), cluster.policy.fleet.version
    learned_from = run(sample_all(cluster, prompts(16)))
    found: list[Rollout] = []

    async def keep_asking(stop: asyncio.Event) -> None:
        while not stop.is_set():
            found.extend(await sample_all(cluster, prompts()))

    async def play() -> None:
        stop = asyncio.Event()
        asking = [asyncio.create_task(keep_asking(stop)) for _ in range(2)]
        await asyncio.to_thread(update, cluster, learned_from)
        await cluster.policy.adopt(learners.weights, version=version + 1)
        stop.set()
        await asyncio.gather(*asking)

    run(play())
    mixed = [rollout for rollout in found if rollout.versions]
    assert mixed, "some were under way, and none was lost"
    for rollout in mixed:
        assert set(rollout.versions) == {version, version + 1}
        assert list(rollout.versions) == sorted(rollout.versions)
        assert len(rollout.versions) == len(rollout.completion_ids)
        assert rollout.policy_version == version
    after = run(sample_all(cluster, prompts(16)))
    assert {rollout.policy_version for rollout in after} == {version + 1}
    assert update(cluster, after)["mismatch/mean_abs"] < 0.05, "nothing old is read"
    run(cluster.policy.adopt(learners.weights, version=version + 2))


def test_one_missed_push_to_one_engine_is_found_in_bfloat16(cluster: Cluster) -> None:
    """The update reaches one engine; the other answers as if it had been sent to it as well."""
    learners, version = learners_of(cluster), cluster.policy.fleet.version
    update(cluster, run(sample_all(cluster, prompts())))
    first, second = cluster.policy.fleet.engines
    sent = Push(learners, [first], cluster.config, version + 1)
    sent.meet()
    checksums = sent.send()
    sent.prove(checksums, cluster.policy.fleet._probe)
    missed = Push(learners, [first, second], cluster.config, version + 1)
    with pytest.raises(StaleWeights, match=f"engine 1 has version {version}"):
        missed.prove(checksums, cluster.policy.fleet._probe)
    lying = Push(learners, [second], cluster.config, version)
    with pytest.raises(StaleWeights, match="engine 1 was given other bits of model"):
        lying.prove(checksums, cluster.policy.fleet._probe)
    learners.met = ()
    run(cluster.policy.adopt(learners.weights, version=version + 1))


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_requests_of_a_killed_engine_are_answered_by_another_as_if_nothing_had_been(
    cluster: Cluster,
) -> None:
    """And it comes back in the middle of the step, quarantined until it has proved the weights."""
    policy, victim = cluster.policy, cluster.policy.fleet.engines[0]
    asked, pid = prompts(12), victim.pid
    family = psutil.Process(pid).children(recursive=True)
    rollouts = run(sample_while_one_dies(cluster, asked, victim, pid))
    assert victim.pid != pid
    again = run(sample_all(cluster, asked))
    assert len(rollouts) == 12
    for one, other in zip(rollouts, again, strict=True):
        assert one.prompt == other.prompt
        assert one.policy_version == other.policy_version
    for child in family:
        with suppress(psutil.NoSuchProcess):
            child.wait(TIMEOUT_S)
    update(cluster, again)
    run(policy.adopt(learners_of(cluster).weights, version=policy.fleet.version + 1))
    assert {r.policy_version for r in run(sample_all(cluster, asked))} == {policy.fleet.version}


async def sample_while_one_dies(
    cluster: Cluster, asked: Sequence[Prompt], victim: Engine, pid: int
) -> list[Rollout]:
    """Kill one of the victim's processes when it has been asked; returns when it is there again.

    The process is stopped before, or it might have answered all that it was asked before it died.
    """
    os.kill(pid, signal.SIGSTOP)
    tasks = asyncio.create_task(sample_all(cluster, asked))
    while not victim.open:  # noqa: ASYNC110 - the task begins it
        await asyncio.sleep(0.01)
    kill(pid)
    rollouts = await tasks
    while victim.state is not State.LIVE:  # noqa: ASYNC110 - a thread does it
        await asyncio.sleep(0.2)
    return rollouts


# ---------------------------------------------------------------- the rest takes longer


def core_of(engine: Engine) -> int:
    """The process that computes for an engine's actor."""
    children = psutil.Process(engine.pid).children(recursive=True)
    [core] = [c.pid for c in children if "EngineCore" in " ".join(c.cmdline())]
    return core


@pytest.mark.slow
def test_an_actor_whose_core_is_dead_is_started_anew(cluster: Cluster) -> None:
    victim = cluster.policy.fleet.engines[1]
    pid = victim.pid
    rollouts = run(sample_while_one_dies(cluster, prompts(12), victim, core_of(victim)))
    assert len(rollouts) == 12
    assert victim.pid != pid


@pytest.mark.slow
def test_an_engine_that_comes_back_unnoticed_gives_no_token_of_the_disks_weights(
    cluster: Cluster,
) -> None:
    policy, victim = cluster.policy, cluster.policy.fleet.engines[0]
    pid = victim.pid
    kill(pid)
    wait_for(lambda: answering(victim) not in (None, pid))
    assert victim.state is State.LIVE, "nobody has noticed"
    raw = ray.get(victim.actor.sample.remote(policy.fleet._probe.request), timeout=TIMEOUT_S)
    assert set(raw.versions) == {-1}
    rollouts = run(sample_all(cluster, prompts()))
    assert {r.policy_version for r in rollouts} == {policy.fleet.version}
    wait_for(lambda: victim.state is State.LIVE and victim.pid not in (0, pid))


def answering(engine: Engine) -> int | None:
    """The process id of the actor that is there now."""
    try:
        return ray.get(engine.actor.ready.remote(), timeout=60)
    except ray.exceptions.RayError:
        return None


def wait_for(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.slow
def test_engines_lost_in_a_push_are_started_anew_and_pushed_again(cluster: Cluster) -> None:
    """Whichever is back first goes on alone; the other is not left to the next adoption."""
    policy, victim = cluster.policy, cluster.policy.fleet.engines[0]
    update(cluster, run(sample_all(cluster, prompts())))
    pids = [engine.pid for engine in policy.fleet.engines]
    with killed_in_next_push(lambda: victim.pid):
        run(policy.adopt(learners_of(cluster).weights, version=policy.fleet.version + 1))
    wait_for(lambda: len(policy.fleet.within(State.LIVE)) == 2)
    assert not {engine.pid for engine in policy.fleet.engines} & {*pids}
    rollouts = run(sample_all(cluster, prompts()))
    assert {r.policy_version for r in rollouts} == {policy.fleet.version}


@pytest.mark.slow
def test_a_learner_lost_in_a_checkpoint_ends_all_and_new_ones_go_on_from_the_one_before(
    cluster: Cluster, tmp_path: Path
) -> None:
    learners, policy = learners_of(cluster), cluster.policy
    save(tmp_path, 7, learners)
    expected = learners.read(policy.fleet._probe.ids, is_exact=True).logprobs
    update(cluster, run(sample_all(cluster, prompts())))
    os.kill(learners.pids[1], signal.SIGSTOP)  # or all might be written before it is dead
    with ThreadPoolExecutor() as threads:
        saving = threads.submit(save, tmp_path, 8, learners)
        wait_for((tmp_path / ".step_8.partial" / "trainer").is_dir)
        kill(learners.pids[1])
        with pytest.raises(WorkerLost, match="learner 1 is gone") as loss:
            saving.result(TIMEOUT_S)
    assert "newest checkpoint" in loss.value.__notes__[0]
    wait_for(lambda: not any(map(psutil.pid_exists, learners.pids)))
    said = cluster.goes_on_after(loss.value)
    assert said is not None
    assert "restart 1 of cluster.restarts = 20" in said
    assert [folder.name for folder in tmp_path.glob("step_*")] == ["step_7"]
    again = cluster.learner(latest_checkpoint(tmp_path))
    assert again.read(policy.fleet._probe.ids, is_exact=True).logprobs == pytest.approx(expected)
    run(policy.adopt(again.weights, version=7))
    assert {r.policy_version for r in run(sample_all(cluster, prompts()))} == {7}
    save(tmp_path, 8, again)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["step_7", "step_8"]


def save(folder: Path, step: int, learners: Any) -> None:
    save_checkpoint(folder, step, learner=learners, backup_tasks=lambda p: p.touch(), keep=2)


@pytest.mark.slow
def test_a_learner_lost_in_a_push_leaves_no_engine_with_half_of_it(cluster: Cluster) -> None:
    """The next push, by new learners, finds engines that wait for nobody and hold no mixture."""
    learners, policy = learners_of(cluster), cluster.policy
    pids = [engine.pid for engine in policy.fleet.engines]
    with (
        killed_in_next_push(lambda: learners.pids[1]),
        pytest.raises(WorkerLost, match=r"learner [01] is gone"),
    ):
        run(policy.adopt(learners.weights, version=8))
    assert {engine.state for engine in policy.fleet.engines} == {State.QUARANTINED}
    run(policy.adopt(cluster.learner(None).weights, version=0))
    rollouts = run(sample_all(cluster, prompts()))
    assert {r.policy_version for r in rollouts} == {0}
    wait_for(lambda: len(policy.fleet.within(State.LIVE)) == 2)
    assert not {engine.pid for engine in policy.fleet.engines} & {*pids}


@contextmanager
def killed_in_next_push(pid_of: Callable[[], int]) -> Generator[None]:
    """SIGKILL to the process when weights begin to be sent."""
    send, is_due = Push.send, True

    def sent(self: Push) -> Any:
        nonlocal is_due
        if is_due:
            kill(pid_of())
        is_due = False
        return send(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Push, "send", sent)
        yield


@pytest.mark.slow
def test_a_loss_that_comes_too_often_ends_the_run(cluster: Cluster) -> None:
    tired = replace(cluster, config=cluster.config.changed(cluster=ClusterConfig(restarts=0)))
    assert tired.goes_on_after(WorkerLost("learner 0 is gone")) is None
