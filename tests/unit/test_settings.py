"""Settings: whatever is wrong is refused with the place, the key, the value and the way out."""

import copy
import math
import pickle  # noqa: TID251 - what torch and multiprocessing would do with it
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from azr.config.gone import GONE
from azr.config.keys import describe
from azr.config.loading import SYNONYMS, load, parse_override, to_toml
from azr.config.loss import LossKind
from azr.config.run import (
    IntrinsicConfig,
    LearnerConfig,
    ModelConfig,
    RolloutConfig,
    RunConfig,
    SelfPlayConfig,
)
from azr.config.spelling import spell_value
from azr.errors import ConfigError
from azr.types import Mode

GOLDEN = Path(__file__).parents[1] / "golden" / "config_keys.txt"


def write(folder: Path, text: str, name: str = "a.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_without_files_the_defaults_of_the_code_hold() -> None:
    assert load([]) == RunConfig()


def test_later_files_win_and_overrides_win_over_files(tmp_path: Path) -> None:
    first = write(tmp_path, "steps = 1\nseed = 7\n[learner]\nlr = 1e-3\nweight_decay = 0.5\n", "1")
    second = write(tmp_path, "steps = 2\n[learner]\nlr = 2e-3\n", "2")
    config = load([first, second], [("steps", "3")])
    assert (config.steps, config.seed) == (3, 7)
    assert (config.learner.lr, config.learner.weight_decay) == (2e-3, 0.5)


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("steps", "1_000", 1000),
        ("learner.lr", "1e-6", 1e-6),
        ("learner.lr", "1", 1.0),
        ("logging.wandb", "yes", True),
        ("logging.wandb", "false", False),
        ("model.name", "Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B"),
        ("model.name", "123", "123"),
        ("selfplay.modes", "deduction,induction", (Mode.DEDUCTION, Mode.INDUCTION)),
        ("selfplay.modes", '["abduction"]', (Mode.ABDUCTION,)),
        ("learner.betas", "0.9, 0.95", (0.9, 0.95)),
        ("learner.betas", "0, 0.5", (0.0, 0.5)),
        ("sandbox.endpoints", "", ()),
        ("logging.profile_steps", "1,2", (1, 2)),
        ("sandbox.banned_modules", "os,sys", ("os", "sys")),
        ("sandbox.banned_modules", "[]", ()),
        ("sandbox.banned_modules", "default", None),
        ("loss.loss", "gspo", LossKind.GSPO),
        ("rewards.wrong", "-0.25", -0.25),
    ],
)
def test_command_line_text_becomes_the_declared_type(key: str, text: str, expected: object) -> None:
    value: object = load([], [(key, text)])
    for word in key.split("."):
        value = getattr(value, word)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learner.lr = 'fast'", "learner.lr must be a finite number, at least 0, got 'fast'"),
        ("learner.lr = nan", "learner.lr must be a finite number, at least 0, got nan"),
        (
            "rollout.temperature = inf",
            "temperature must be a finite number, above 0, got inf",
        ),
        ("learner.lr = true", "learner.lr must be a finite number, at least 0, got True"),
        ("steps = 1.5", "steps must be a whole number, at least 0, got 1.5"),
        ("steps = true", "steps must be a whole number, at least 0, got True"),
        ("model.name = 3", "model.name must be text in quotes, got 3"),
        ("logging.wandb = 1", "logging.wandb must be true or false, got 1"),
        (
            "learner.betas = [0.9]",
            "learner.betas must be a list of 2 numbers, at least 0",
        ),
        ("selfplay.modes = 'deduction'", "selfplay.modes must be a list of deduction"),
        (
            "selfplay.modes = ['x']",
            "selfplay.modes must be a list of deduction",
        ),
        ("loss.loss = 'pp0'", "loss.loss must be one of reinforce, ppo"),
        ("learner = 3", "learner is a table ([learner]), got 3"),
        ("learner.lr.x = 3", "learner.lr must be a finite number, at least 0, got {'x': 3}"),
        (
            "selfplay.trials_per_task = 1",
            "a whole number, at least 2, got 1: with one trial",
        ),
        (
            "rollout.engine = 'hf'",
            "rollout.engine must be one of auto, vllm, transformers, got",
        ),
        ("sandbox.banned_modules = 3", 'must be a list of texts, or "default", got 3'),
        ("rewards.not_novel = 'x'", 'not_novel must be a finite number, or "default", got'),
        (
            "learner.betas = [0.9, 0.99, 0.999]",
            "at least 0 and below 1, got [0.9, 0.99, 0.999]",
        ),
        (
            "learner.betas = [0.9, 1.0]",
            "at least 0 and below 1, got [0.9, 1.0]",
        ),
        (
            "selfplay.modes = []",
            "selfplay.modes must be a list of deduction",
        ),
        (
            "selfplay.error_banned = ['with']",
            "error_banned must be a list of assert, raise",
        ),
        ("rollout.temperature = 0", "temperature must be a finite number, above 0, got 0: greedy"),
        ("sandbox.images = 17", "sandbox.images must be a whole number, in [1, 16], got 17"),
        ("intrinsic.halstead = -1", "intrinsic.halstead must be a finite number, at least 0, got"),
        ("model = 'x'", "model is a table ([model]), got 'x'"),
        ("steps = 2026-11-30", "a whole number, at least 0, got datetime.date(2026, 11, 30)"),
    ],
)
def test_a_wrong_value_is_refused_with_file_key_value_and_what_is_allowed(
    tmp_path: Path, text: str, message: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as refusal:
        load([path])
    assert str(refusal.value).startswith(f"{path}: ")
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("learner.lrr", "learner.lr"),
        ("learnr.lr", "learner.lr"),
        ("lr", "learner.lr"),
        ("stpes", "steps"),
        ("selfplay.batchsize", "selfplay.batch_size"),
        ("trials_per_task", "selfplay.trials_per_task"),
        ("learner.learning_rate", "learner.lr"),
        ("max_new_tokens", "rollout.max_completion_tokens"),
        ("lerner", "learner"),
    ],
)
def test_an_unknown_key_is_refused_with_the_closest_known_one(
    tmp_path: Path, wrong: str, right: str
) -> None:
    message = f"unknown key {wrong!r}; did you mean {right}?"
    with pytest.raises(ConfigError, match="command line: ") as refusal:
        load([], [(wrong, "1")])
    assert message in str(refusal.value)
    with pytest.raises(ConfigError) as refusal:
        load([write(tmp_path, f"{wrong} = 1")])
    assert "unknown key" in str(refusal.value)


def test_every_synonym_leads_to_a_key_that_exists() -> None:
    assert set(SYNONYMS.values()) <= set(describe())
    assert not set(SYNONYMS) & {key.rpartition(".")[2] for key in describe()}


def test_a_key_of_an_older_version_is_refused_with_what_to_write(tmp_path: Path) -> None:
    assert not set(GONE) & set(describe())
    for name, (_, remedy) in GONE.items():
        for word in re.findall(r"\b[a-z]+\.[a-z_]+", remedy):
            assert word in describe(), name
        with pytest.raises(ConfigError, match=f"command line: there is no key {name} any more: "):
            load([], [(name, "7")])
    path = write(tmp_path, "[intrinsic.halstead]\ncoef = 0.3\nmax = 0.5\n")
    with pytest.raises(ConfigError) as refusal:
        load([path])
    line = "there is no key intrinsic.halstead.coef any more: write intrinsic.halstead"
    assert str(refusal.value) == f"{path}: {line}"


def test_keys_of_inner_tables_are_written_so_that_they_are_read_back(tmp_path: Path) -> None:
    targets = {"solver/deduction": 0.3}
    config = RunConfig(
        learner=LearnerConfig(entropy_scope="stream", entropy_targets=targets),
    )
    assert load([write(tmp_path, to_toml(config))]) == config


def test_the_file_of_an_older_run_loads_where_it_held_the_defaults(tmp_path: Path) -> None:
    lines = [f"{name} = {spell_value(default)}" for name, (default, _) in GONE.items()]
    path = write(tmp_path, "\n".join(["intrinsic.max = 0.25", "steps = 3", *lines]))
    expected = RunConfig(steps=3, intrinsic=IntrinsicConfig(max=0.25))
    assert load([path]) == expected


def test_an_unknown_key_like_none_is_refused_without_a_guess() -> None:
    with pytest.raises(ConfigError) as refusal:
        load([], [("zzzzqq", "1")])
    assert "did you mean" not in str(refusal.value)
    assert refusal.value.__notes__ == ["azr train --help-config lists every key with its default"]


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path, "steps = 1\nseed = = 2\n")
    with pytest.raises(ConfigError, match="line 2") as refusal:
        load([path])
    assert str(path) in str(refusal.value)


def test_a_missing_file_and_one_that_is_not_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such configuration file"):
        load([tmp_path / "none.toml"])
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\x00\x80")
    with pytest.raises(ConfigError, match="not valid TOML"):
        load([binary])
    with pytest.raises(ConfigError, match="cannot be read"):
        load([tmp_path])


def test_a_refusal_by_range_names_the_source_that_set_the_value(tmp_path: Path) -> None:
    path = write(tmp_path, "[loss]\nclip_low = -1.0\n")
    with pytest.raises(ConfigError, match=r"loss\.clip_low must be .*, at least 0") as refusal:
        load([path], [("steps", "3")])
    assert str(refusal.value).startswith(f"{path}: ")
    with pytest.raises(ConfigError, match=r"^command line: steps must be .*, at least 0"):
        load([], [("steps", "-3")])


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_configuration_made_in_code_takes_no_number_that_is_not_finite(number: float) -> None:
    with pytest.raises(ConfigError, match=r"learner\.lr must be a finite number"):
        LearnerConfig(lr=number)
    with pytest.raises(ConfigError, match=r"rollout\.temperature must be a finite number"):
        RolloutConfig(temperature=number)


def test_one_made_in_code_takes_words_lists_and_tables_and_nothing_else() -> None:
    config = RunConfig(selfplay={"modes": ["induction"]}, loss={"loss": "gspo"})
    assert config.selfplay == SelfPlayConfig(modes=(Mode.INDUCTION,))
    assert config.loss.loss is LossKind.GSPO
    with pytest.raises(ConfigError, match=r"^the configuration has no key 'step'$"):
        RunConfig(step=3)
    with pytest.raises(ConfigError, match=r"^learner has no key 'lrr'$"):
        RunConfig(learner={"lrr": 1.0})
    with pytest.raises(ConfigError, match=r"^model must be a table, got 3$"):
        RunConfig(model=3)


def test_a_changed_copy_is_checked_like_a_new_one() -> None:
    config = RunConfig(seed=7)
    longer = config.changed(steps=9, learner=config.learner.changed(lr=1.0))
    assert (longer.seed, longer.steps, longer.learner.lr) == (7, 9, 1.0)
    assert config == RunConfig(seed=7)
    with pytest.raises(ConfigError, match=r"^steps must be a whole number, at least 0, got -1$"):
        config.changed(steps=-1)
    with pytest.raises(ConfigError, match=r"^learner has no key 'lrr'$"):
        config.learner.changed(lrr=1.0)


def test_a_configuration_cannot_be_written_to_and_survives_copies() -> None:
    config = RunConfig(selfplay=SelfPlayConfig(modes=("error",)), seed=3)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 4
    assert copy.deepcopy(config) == pickle.loads(pickle.dumps(config)) == config
    assert hash(config.rewards) == hash(RunConfig().rewards)
    assert config != RunConfig(seed=3)


def test_set_needs_an_equals_sign() -> None:
    assert parse_override("learner.lr = 1e-6") == ("learner.lr", "1e-6")
    assert parse_override("model.name=a=b") == ("model.name", "a=b")
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        parse_override("learner.lr")


NAMES = st.text(min_size=1, max_size=30).filter(
    lambda name: "/" not in name and not name.startswith((".", "~"))
)


@given(
    name=NAMES,
    model=st.text(max_size=40).filter(lambda text: not text.startswith("~")),
    lr=st.floats(min_value=0, max_value=1e300, allow_nan=False),
    modes=st.lists(st.sampled_from(list(Mode)), min_size=1, max_size=3),
    banned=st.none() | st.lists(st.text(max_size=10), max_size=3),
    loss=st.sampled_from([LossKind.PPO, LossKind.CISPO]),
)
def test_what_is_written_is_read_back_equal(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    model: str,
    lr: float,
    modes: list[Mode],
    banned: list[str] | None,
    loss: LossKind,
) -> None:
    base = RunConfig()
    config = RunConfig(
        name=name,
        model=ModelConfig(name=model),
        selfplay=SelfPlayConfig(modes=tuple(modes)),
        learner=LearnerConfig(lr=lr),
        sandbox=type(base.sandbox)(banned_modules=None if banned is None else tuple(banned)),
        loss=type(base.loss)(loss=loss),
    )
    path = tmp_path_factory.mktemp("toml") / "config.toml"
    path.write_text(to_toml(config), encoding="utf-8", newline="")
    assert load([path]) == config


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from leaves(kind, f"{prefix}{name}.")
        else:
            yield prefix + name


def test_every_field_of_the_configuration_is_described_once() -> None:
    assert sorted(describe()) == sorted(leaves(RunConfig))
    for key in describe().values():
        assert spell_value(key.default)
        assert key.allowed


ADVICE = re.compile(
    r"(^|[.):;] )(Set|Raise|Lower|Take|Switch it|Leave|Keep|Choose|Change|Shorten|Ban|Try)\b"
)


def test_every_key_says_when_to_touch_it() -> None:
    assert [key.name for key in describe().values() if not ADVICE.search(key.doc)] == []


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("steps", "a whole number, at least 0"),
        ("seed", "a whole number"),
        ("rollout.engine", "one of auto, vllm, transformers"),
        ("rollout.gpu_memory_utilization", "a finite number, above 0 and at most 1"),
        ("selfplay.modes", "a list of deduction, abduction, induction, error, at least one"),
        ("novelty.min_distance", "a finite number, in [0, 1]"),
        ("intrinsic.clip", 'a finite number, at least 0, or "default"'),
    ],
)
def test_what_a_key_allows_is_told_with_its_limits(key: str, allowed: str) -> None:
    assert describe()[key].allowed == allowed


def test_the_set_of_keys_is_frozen() -> None:
    """A key is a promise to users: it is added and removed on purpose, with this file."""
    known = GOLDEN.read_text().split()
    assert list(describe()) == known, f"update {GOLDEN.name} and say so in CHANGELOG.md"


def test_plain_values_are_ready_for_json() -> None:
    tree = RunConfig().model_dump(mode="json")
    assert tree["selfplay"]["modes"] == ["deduction", "abduction", "induction"]
    assert tree["loss"]["loss"] == "ppo"
    assert tree["sandbox"]["banned_modules"] is None
