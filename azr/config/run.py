"""Every number a run depends on, with its unit and its source.

The game's sections are in azr.config.game and azr.config.rewards, the learner's in azr.config.loss;
all are to be had from here. Nothing else holds a default.

azr.config.loading reads files into these types; the resolved values are written into the run
folder. A field's type is what its key allows, and the docstring beneath it what the key means:
`--help-config` and docs/configuration.md are made of them.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from azr.config.engines import AUTO, ENGINES
from azr.config.game import (
    AnchorsConfig,
    BuffersConfig,
    CompositeConfig,
    CurriculumConfig,
    GroundingConfig,
    ParsingConfig,
    SelfPlayConfig,
    can_play_ahead,
    rates_agree,
)
from azr.config.kinds import (
    Amount,
    Count,
    HomePath,
    ListOf,
    Natural,
    Positive,
    at_home,
    because,
)
from azr.config.loss import LearnerConfig, LoraConfig, LossConfig, LossSection
from azr.config.rewards import IntrinsicConfig, NoveltyConfig, RewardConfig
from azr.config.section import Section
from azr.errors import ConfigError
from azr.types import STREAMS, stream_name
from sandbox_wasm.types import MAX_IMAGES

__all__ = [
    "AnchorsConfig",
    "BuffersConfig",
    "CheckpointConfig",
    "ClusterConfig",
    "CompositeConfig",
    "CurriculumConfig",
    "EvaluationConfig",
    "GroundingConfig",
    "IntrinsicConfig",
    "LearnerConfig",
    "LoggingConfig",
    "LoraConfig",
    "LossConfig",
    "ModelConfig",
    "NoveltyConfig",
    "ParsingConfig",
    "RewardConfig",
    "RolloutConfig",
    "RunConfig",
    "SandboxConfig",
    "SelfPlayConfig",
]


class ModelConfig(Section, title="model"):
    """Which model plays."""

    name: HomePath = "models/smollm2-135m-instruct"
    """The model that is trained: a Hugging Face id or a local folder. `azr model smollm2` makes the
    default. Set it first."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """What the learner's forward and backward compute in; the weights stay float32. Take bfloat16
    on a GPU; float32 is for CPUs and for runs that must repeat bit for bit."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, about a third more time. Switch it
    on when an update does not fit."""


def known_engine(name: str) -> str:
    """Refuse a name that is not in the table of engines."""
    if name not in (AUTO, *ENGINES):
        raise ValueError(f"must be one of {', '.join((AUTO, *ENGINES))}, got {name!r}")
    return name


GREEDY = "greedy samples of a task are all alike and its learnability is then always 0"


class RolloutConfig(Section, title="rollout"):
    """Sampling."""

    engine: Annotated[
        str, AfterValidator(known_engine), Field(json_schema_extra={"enum": [AUTO, *ENGINES]})
    ] = AUTO
    """What samples; auto takes vllm where `from vllm import LLM` works. Set transformers where vLLM
    cannot be installed, or to compare with it."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Precision of the engine's weights. Take bfloat16 on a GPU: half the memory, but its
    log-probabilities differ from the learner's by rounding."""
    temperature: Annotated[Positive, because(GREEDY)] = 1.0
    """Of sampling, in training, and of the policy that the losses see. (AZR: 1.0) Lower it for
    small models, which break off their programs at 1; evaluation has its own."""
    temperatures: Mapping[str, float] = Field(default_factory=dict[str, float])
    """The same of single streams, as a table `[rollout.temperatures]` with `"solver/deduction" =
    1.0`; the others have `temperature`. Set it when answers need more variety than programs bear.
    """
    vocabulary_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the vocabulary's words that proposers must do without, others in each step. (arXiv
    2604.03472) Set it, say to 0.1, when proposals become one kind and other means do not help."""
    max_prompt_tokens: Count = 6144
    """Longer prompts are drawn again with other references. (AZR: max_prompt_length) Lower it when
    memory runs out; raise it when long programs are wanted as references."""
    max_completion_tokens: Count = 8096
    """Longest completion; one that is cut is ill-formed. (AZR: max_response_length) Lower it for
    models that ramble, since the longest completion decides how long a step takes."""
    kv_cache_gib: Positive = 1.0
    """Room for keys and values of an engine on a CPU, in whole GiB. Raise it when vLLM says that
    sequences wait for the cache."""
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.4
    """Share of a GPU's memory for the engine; the rest is the learner's. (AZR: 0.4) Lower it when
    an update does not fit: `azr train --dry-run --gpu-memory GIB` says what does."""
    max_staleness: Natural = 0
    """Updates that the learner may be ahead of the weights that sample a token: so many steps are
    played while earlier ones are learned from. (AReaL: 4 and more) Set 1 where the longest
    completions decide how long a step takes, 2 where that leaves engines or learners idle."""
    max_concurrent: Count = 256
    """Sequences that an engine runs at once. Lower it when its cache is too small for so many;
    raise it when a GPU idles."""
    probe_tolerance: Amount = 1e-3
    """After each update engine and learner must agree on a known text: the largest difference of
    log-probabilities, in float32. Raise it only for an engine whose difference you have understood.
    """
    probe_tolerance_bf16: Amount = 0.25
    """The same where engine or learner computes in bfloat16, as a mean over the text; twice what
    rounding alone does to the learner's counts instead where that is more. Raise it as little as
    probe_tolerance."""

    @model_validator(mode="after")
    def _temperatures_are_of_streams(self) -> Self:
        if unknown := self.temperatures.keys() - set(map(stream_name, STREAMS)):
            raise ConfigError(
                f"rollout.temperatures must name streams, as solver/deduction, got {min(unknown)!r}"
            )
        if wrong := [(name, t) for name, t in self.temperatures.items() if not 0 < t < math.inf]:
            raise ConfigError(
                f"rollout.temperatures must be finite and above 0, got {wrong[0][1]} for"
                f" {wrong[0][0]}: {GREEDY}"
            )
        return self


def socket_at_home(endpoint: str) -> str:
    """An address with the `~` of its socket's path replaced."""
    scheme, separator, path = endpoint.partition("://")
    return f"{scheme}{separator}{at_home(path)}" if scheme == "ipc" else endpoint


class SandboxConfig(Section, title="sandbox"):
    """Where programs run and what they may use."""

    endpoints: ListOf[Annotated[str, AfterValidator(socket_at_home)]] = ()
    """ZeroMQ addresses of running sandbox servers; empty starts one of the run's own. Set it when
    programs shall run on other machines (docs/operators.md)."""
    server_key: HomePath = ""
    """File with the servers' public CURVE key. Set it for tcp:// endpoints."""
    client_key: HomePath = ""
    """File with this client's secret CURVE key. Set it for tcp:// endpoints."""
    workers: Natural = 0
    """Workers of the run's own server; 0 is one a core, as far as a container's quota goes. Lower
    it to leave cores to the engine."""
    fuel: Count = 2_000_000_000
    """Instructions that one call may use: a quarter of a second's worth, at 8e9. (AZR: 10 s of wall
    clock) Raise it when sound programs come back out of fuel."""
    memory_bytes: Count = 256 * 1024 * 1024
    """Memory of one call. Raise it when programs that are wanted end in MemoryError."""
    output_bytes: Count = 8 * 1024
    """Longest literal of a value; a proposal with a larger one is invalid, none is cut. Raise it
    for tasks with long outputs."""
    max_program_chars: Count = 16_384
    """Longest program of a proposal or an answer; a longer one is invalid. Raise it for models that
    write long programs."""
    max_input_chars: Count = 4_096
    """Longest input of a proposal or an answer; a longer one is invalid. Raise it for tasks with
    long inputs."""
    images: Annotated[int, Field(ge=1, le=MAX_IMAGES)] = 10
    """Hash seeds, clocks, entropies and memory layouts under which a program must agree with
    itself: a coin does once in 2^(images - 1). (paper: j = 2 runs) Lower it to judge faster and
    admit more coins."""
    banned_modules: ListOf[str] | None = None
    """Modules that programs may not import; default is the authors' list, [] is none. Shorten it
    for tasks about one of them; the sandbox holds without any."""
    timeout_s: Annotated[float, Field(ge=1)] = 120.0
    """Seconds without a sign of life from any server after which the run stops, resumable; a long
    queue is no silence. Raise it where servers restart slowly."""


class ClusterConfig(Section, title="cluster"):
    """Several GPUs: learners that share the model, and engines that sample, all on Ray."""

    learners: Natural = 0
    """Processes that share the learner, one a GPU; 0 = this process learns and samples itself.
    Set it with `engines`: about half of the GPUs."""
    engines: Natural = 0
    """vLLM engines, beside the learners. Raise it where play takes longer than the update."""
    tensor_parallel: Count = 1
    """GPUs of one engine, all in one machine. Raise it when the model is larger than one GPU."""
    address: str = ""
    """HOST:PORT of a Ray cluster; empty = $RAY_ADDRESS, else the one that this machine is part of,
    else one that is started here and ends with the run. Set it where several are running."""
    restarts: Natural = 3
    """So often an engine is started anew, and so often the learners begin at the newest checkpoint
    because one of them was lost. Raise it on machines that come and go."""
    timeout_s: Annotated[float, Field(ge=1)] = 1800.0
    """Seconds after which whatever is waited for, of learners or engines, has failed. Raise it when
    a healthy run with long updates is ended by it."""

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if bool(self.learners) != bool(self.engines):
            raise ConfigError(
                f"cluster.learners = {self.learners} and cluster.engines = {self.engines}: a"
                " cluster has one of each at least; both 0 is one process that does all"
            )
        return self


class EvaluationConfig(Section, title="evaluation"):
    """Public suites during training; `azr eval` measures a finished run."""

    every: Natural = 0
    """Steps between evaluations on the suites; 0 is none. Set it to see a curve on public tasks;
    `azr eval` measures a finished run."""
    at_start: bool = False
    """Evaluate the untrained model too, as step 0, whatever `every` is. (verl, AZR:
    val_before_train, on) Switch it on to have the curve's beginning."""
    suites: ListOf[str] = ("cruxeval-o",)
    """Which are measured; `azr eval --help` lists them. Choose some that the model neither fails
    nor solves altogether."""
    limit: Count = 64
    """Items of each suite, the first so many. Raise it for narrower intervals; lower it when
    evaluations take too long."""
    data: HomePath = ""
    """Folder of the suites' files; empty is $AZR_SHARED_DATA, else the Hugging Face hub. Set it on
    a machine without network."""

    @model_validator(mode="after")
    def _names_suites(self) -> Self:
        if (self.every or self.at_start) and not self.suites:
            raise ConfigError("evaluation.suites must name at least one suite, got []")
        return self


class CheckpointConfig(Section, title="checkpoint"):
    """What survives a kill."""

    every: Count = 10
    """Steps between checkpoints. (AZR: save_freq) Lower it where runs are killed often: a resumed
    run replays what came after the last one."""
    keep: Count = 1
    """How many checkpoints stay; older ones are removed. (AZR: 1) Raise it to evaluate several
    steps of a run afterwards."""


WANDB_TAG_CHARS = 64


def wandb_tag(text: str) -> str:
    """Refuse a tag that wandb does not take."""
    if not 0 < len(text) <= WANDB_TAG_CHARS:
        raise ValueError(
            f"must be texts of 1 to {WANDB_TAG_CHARS} characters, got {text!r}: wandb takes no"
            " others"
        )
    return text


class LoggingConfig(Section, title="logging"):
    """What is written beside metrics.jsonl."""

    tensorboard: bool = True
    """Write event files for TensorBoard. Switch it off to save their space; metrics.jsonl and the
    report need none."""
    wandb: bool = False
    """Send the metrics to Weights & Biases. Switch it on if you use it; `pip install wandb` first.
    """
    wandb_project: str = "azr"
    """Project in wandb. Set it to keep studies apart."""
    wandb_tags: ListOf[Annotated[str, AfterValidator(wandb_tag)]] = ()
    """Tags of the run in wandb; a resumed run keeps those it has there, unless some are given. Set
    them to find runs again."""
    trackio: bool = False
    """Write the metrics to trackio as well, on this machine, or to the Space that TRACKIO_SPACE_ID
    names. Switch it on if you use it; `pip install trackio` first."""
    trackio_project: str = "azr"
    """Project in trackio. Set it to keep studies apart."""
    rollouts: bool = True
    """Keep every step's rollouts (rollouts/step_N.jsonl.gz), which the report and `azr inspect`
    show. Switch it off to save disk."""
    print_tasks: Natural = 0
    """Show so many of a step's new tasks, drawn at random, on stderr. (AZR: 3 a stream) Set it to
    watch what the model invents."""
    profile_steps: ListOf[int] = ()
    """Steps whose update torch.profiler traces into profile/step_N.json.gz of the run's folder, for
    ui.perfetto.dev. (verl: trainer.profile_steps, for Nsight) Set one or two when updates are
    slower than expected."""


def folder_name(text: str) -> str:
    """Refuse what is a path, hidden, or somebody's home."""
    if not text or "/" in text or text.startswith((".", "~")):
        raise ValueError(f"must be a plain folder name, got {text!r}")
    return text


class RunConfig(Section):
    """A whole run."""

    name: Annotated[str, AfterValidator(folder_name)] = "run"
    """Folder of the run below `runs`; a taken name is refused unless the run is resumed or
    overwritten. Set it for every run."""
    runs: HomePath = "runs"
    """Folder of all runs. Set it when they belong on another disk."""
    steps: Natural = 500
    """Steps to train, an update each. (paper: 500) Raise it and start with --resume to go on."""
    seed: int = 0
    """Where every random draw starts from. Change it to repeat a run with other luck; runs named
    NAME-s0, NAME-s1, ... are compared as one arm."""
    model: ModelConfig = ModelConfig()
    selfplay: SelfPlayConfig = SelfPlayConfig()
    parsing: ParsingConfig = ParsingConfig()
    composite: CompositeConfig = CompositeConfig()
    rewards: RewardConfig = RewardConfig()
    intrinsic: IntrinsicConfig = IntrinsicConfig()
    novelty: NoveltyConfig = NoveltyConfig()
    buffers: BuffersConfig = BuffersConfig()
    curriculum: CurriculumConfig = CurriculumConfig()
    grounding: GroundingConfig = GroundingConfig()
    anchors: AnchorsConfig = AnchorsConfig()
    rollout: RolloutConfig = RolloutConfig()
    learner: LearnerConfig = LearnerConfig()
    loss: LossSection = LossSection()
    lora: LoraConfig = LoraConfig()
    sandbox: SandboxConfig = SandboxConfig()
    cluster: ClusterConfig = ClusterConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    logging: LoggingConfig = LoggingConfig()

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        limit = self.learner.entropy_limit
        if (
            self.learner.entropy_target or self.learner.entropy_targets
        ) and not 0 <= self.loss.entropy_coef <= limit:
            raise ConfigError(
                f"loss.entropy_coef must be in [0, learner.entropy_limit = {limit}] where"
                f" learner.entropy_target is set, got {self.loss.entropy_coef}: it starts there"
            )
        rates_agree(self.selfplay, self.buffers, self.novelty.dedupe)
        if staleness := self.rollout.max_staleness:
            can_play_ahead(self.selfplay, self.buffers, staleness)
            if self.logging.profile_steps:
                raise ConfigError(
                    f"logging.profile_steps must be [] with rollout.max_staleness = {staleness}: a"
                    " trace would show the play of other steps, and not the update's thread"
                )
            if "importance" not in self.loss.model_fields_set:
                # no longer frozen for once: this default is known when all sections are
                object.__setattr__(self, "loss", self.loss.corrected_for_sampler())
        if wrong := [step for step in self.logging.profile_steps if not 1 <= step <= self.steps]:
            raise ConfigError(
                f"logging.profile_steps must be steps of the run, 1 to {self.steps}, got {wrong[0]}"
            )
        return self

    @property
    def has_reference(self) -> bool:
        """Whether the model the run started from is kept beside the learner's: two keys want it."""
        return self.loss.kl != "none" or self.rewards.kl != "none"

    @property
    def executor(self) -> SandboxConfig:
        """[sandbox] with all images there are where tasks are run again in those they never saw."""
        return self.sandbox.changed(images=MAX_IMAGES) if self.buffers.recheck else self.sandbox

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.runs) / self.name
