"""What several test folders share: the evaluation data, and a scripted run's folder."""

import os
import random
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from azr.config.run import LoggingConfig, RunConfig, SelfPlayConfig
from azr.records.metrics import step_metrics
from azr.records.rollouts import rollout_records
from azr.records.run_folder import RunFolder
from azr.records.sinks import MetricsWriter
from azr.rollout.environment import DEFAULTS
from azr.types import STREAMS, Case, Experience, Mode, Prompt, Role, Rollout, Stream, Task, Verdict
from tests.curricula import make_curriculum

# As in a run, and before a test imports torch: threads of OpenMP that wait must sleep. Tests spend
# a third of their CPU time less, and disturb their own sandbox less.
for _name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
    os.environ.setdefault(_name, DEFAULTS[_name])

# Whether a property holds does not depend on how busy the machine is; tests of time say so.
settings.register_profile("azr", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("azr")

PLAYED = [stream for stream in STREAMS if stream[1] in SelfPlayConfig().modes]
SHARED_DATA = Path(
    os.environ.get("AZR_SHARED_DATA", Path(__file__).parents[1].parent / "shared" / "data")
)


def cancel_alarms() -> bool:
    """Cancel all timers; whether there were any that still ran."""
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    running = [timer for timer in timers if not timer.finished.is_set()]
    for timer in running:
        timer.cancel()
    return bool(running)


@pytest.fixture(autouse=True)
def no_alarm_is_left() -> Generator[None]:
    """An alarm of worker or workers would end pytest itself, some tests later."""
    yield
    assert not cancel_alarms(), "a test left an alarm that ends the process"


@pytest.fixture
def alarms_are_cancelled() -> Generator[None]:
    """For tests of a process at its end, which an alarm is there to make sure of."""
    yield
    cancel_alarms()


@contextmanager
def environment_restored() -> Generator[None]:
    """Put os.environ back: what is set in it would reach every process of later tests."""
    before = dict(os.environ)
    yield
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(autouse=True, scope="module")
def environment_of_a_module_ends_with_it() -> Generator[None]:
    """An engine that a module shares sets variables; the next module is without them."""
    with environment_restored():
        yield


@pytest.fixture(autouse=True)
def environment_of_a_test_ends_with_it() -> Generator[None]:
    """So does what a single test opens."""
    with environment_restored():
        yield


PROGRAMS = {
    "def f(words: list[str], k: int = 2) -> dict:\n"
    "    # count what is long enough\n"
    "    seen = {}\n"
    "    for word in words:\n"
    "        if len(word) >= k:\n"
    "            seen[word.lower()] = seen.get(word.lower(), 0) + 1\n"
    '    return {w: n for w, n in sorted(seen.items()) if w != "the"}': (
        "['The', 'cat', 'a', 'Cat'], k=3",
        "{'cat': 2}",
    ),
    "def f(n):\n    a, b = 0, 1\n    while b < n:\n        a, b = b, a + b\n    return a": (
        "50",
        "34",
    ),
    "def f(x):\n    return x[::-1] + 'é'": ("'abc'", "'cbaé'"),
}
REASONS = {
    Verdict.FAILED: ("raised: ValueError", "refused: import of os", "not deterministic"),
    Verdict.ILL_FORMED: ("parse: no input block", "parse: no program"),
}


def scripted_experience(stream: Stream, chance: random.Random, skill: float) -> Experience:
    """One made-up experience of the kind a run has; it succeeds with probability `skill`."""
    role, mode = stream
    program, (given, value) = chance.choice(list(PROGRAMS.items()))
    count = 4 if mode is Mode.INDUCTION else 1
    task = Task(mode=mode, program=program, cases=(Case(given, value),) * count, message="say it")
    passed = chance.random() < skill
    verdict = Verdict.PASSED if passed else chance.choice([Verdict.FAILED, Verdict.ILL_FORMED])
    rate = chance.choice([0.0, 0.25, 0.5, 0.75, 1.0]) if passed else None
    answer = value if passed else "[1, 2"
    text = f"{program}\n```\n```input\n{given}\n```" if role is Role.PROPOSER else answer
    length = chance.randint(20, 120)
    rollout = Rollout(
        prompt=Prompt(role=role, mode=mode, text="Example 1:\n" + program, prefill="```python\n"),
        prompt_ids=(1,) * 200,
        completion_ids=(2,) * length,
        rollout_logprobs=(-0.4,) * length,
        completion=text,
        policy_version=0,
        truncated=length > 110,
    )
    proposer_reward = -1.0 if rate is None else (1 - rate if rate else 0.0)
    return Experience(
        rollout=rollout,
        verdict=verdict,
        reward=proposer_reward if role is Role.PROPOSER else (1.0 if passed else -0.5),
        reason="" if passed else chance.choice(REASONS[verdict]),
        task=task if passed or role is Role.SOLVER else None,
        solve_rate=rate if role is Role.PROPOSER else None,
    )


@pytest.fixture
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip(
            "needs the public evaluation sets: docs/evaluation.md says where each is and in which"
            f" form; AZR_SHARED_DATA names their folder (none at {SHARED_DATA})"
        )
    return SHARED_DATA


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a whole run folder: `make_run(name, steps)`; extra experiences join the last step."""

    def make(
        name: str = "scripted", steps: int = 6, seed: int = 0, extra: tuple[Experience, ...] = ()
    ) -> Path:
        config = RunConfig(
            name=name,
            runs=str(tmp_path),
            steps=steps,
            selfplay=SelfPlayConfig(batch_size=4),
            logging=LoggingConfig(tensorboard=False),
        )
        chance = random.Random(seed)
        with RunFolder.open(config) as folder:
            writer = MetricsWriter(folder.path, config)
            for step in range(1, steps + 1):
                skill = 0.2 + 0.5 * step / steps
                batch = [scripted_experience(s, chance, skill) for s in PLAYED for _ in range(4)]
                batch += extra if step == steps else ()
                advantages = [chance.gauss(0, 1) for _ in batch]
                times = {"time/play": 20 - 8 * step / steps, "time/train": 7.0, "time/sync": 0.5}
                learned = {"loss": 0.1 / step, "grad_norm": 1 + chance.random(), "mismatch": 1e-3}
                times |= {"time/other": 0.3, "time/step": sum(times.values()) + 0.3}
                writer.write(step, step_metrics(batch, advantages, times | learned))
                folder.write_rollouts(step, rollout_records(step, batch, advantages))
            writer.close()
        return folder.path

    return make


@pytest.fixture
def made_curriculum(tmp_path: Path) -> Path:
    """A run of 12 steps whose answers belong to its tasks (tests/curricula.py)."""
    return make_curriculum(tmp_path / "grown", steps=12)
