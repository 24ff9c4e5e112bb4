"""Every number a run depends on, with its unit and its source.

The game's sections are in azr.config.game, azr.config.rewards and azr.config.game, the loss's
in azr.config.loss; all are to be had from here. Nothing else holds a default.

A file `config.toml` is read into these types by azr.config.loading; the resolved values are written
into the run folder. Validation lives with them and names the dotted key, the value, the remedy.
"""

from dataclasses import dataclass, field
from pathlib import Path

from azr.config.checks import at_least, finite, home, one_of, within
from azr.config.engines import AUTO, ENGINES
from azr.config.game import (
    BuffersConfig,
    CompositeConfig,
    CurriculumConfig,
    ParsingConfig,
    SelfPlayConfig,
)
from azr.config.loss import LossConfig
from azr.config.rewards import IntrinsicConfig, NoveltyConfig, RewardConfig
from azr.errors import ConfigError
from azr.types import STREAMS, Mode, Role
from sandbox_wasm.types import MAX_IMAGES

__all__ = [
    "BuffersConfig",
    "CheckpointConfig",
    "ClusterConfig",
    "CompositeConfig",
    "CurriculumConfig",
    "EvaluationConfig",
    "IntrinsicConfig",
    "LearnerConfig",
    "LoggingConfig",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """Which model plays."""

    name: str = "models/smollm2-135m-instruct"
    """Hugging Face id or local folder. `azr model smollm2` makes the default."""
    dtype: str = "float32"
    """Of the learner's forward and backward: float32 or bfloat16 (weights stay float32)."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward: less memory, about a third more time."""

    def __post_init__(self) -> None:
        """Check ranges."""
        object.__setattr__(self, "name", home("model.name", self.name))
        one_of("model.dtype", self.dtype, ("float32", "bfloat16"))


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutConfig:
    """Sampling."""

    engine: str = AUTO
    """vllm, transformers, or auto: vllm where `from vllm import LLM` works."""
    dtype: str = "float32"
    """Of the engine's weights: float32, bfloat16."""
    temperature: float = 1.0
    max_prompt_tokens: int = 6144
    """Longer prompts are drawn again. (AZR: max_prompt_length)"""
    max_completion_tokens: int = 8096
    """(AZR: max_response_length)"""
    kv_cache_gib: float = 1.0
    """Room for keys and values on a CPU engine."""
    gpu_memory_utilization: float = 0.4
    """Share of a GPU's memory for the engine. (AZR: 0.4)"""
    max_concurrent: int = 256
    """Sequences the engine runs at once."""
    probe_tolerance: float = 1e-3
    """After each update: largest |engine - learner| log-probability of a probe, in fp32."""
    probe_tolerance_bf16: float = 0.25
    """The same, mean over the probe, when engine or learner computes in bfloat16; or twice what
    rounding alone does to the learner's, where that is more."""

    def __post_init__(self) -> None:
        """Check ranges."""
        one_of("rollout.engine", self.engine, (AUTO, *ENGINES))
        one_of("rollout.dtype", self.dtype, ("float32", "bfloat16"))
        finite("rollout.temperature", self.temperature)
        if not self.temperature > 0:
            raise ConfigError(
                f"rollout.temperature must be above 0, got {self.temperature}:"
                " greedy samples of a task are all alike and its learnability is then always 0"
            )
        at_least("rollout.max_completion_tokens", self.max_completion_tokens, 1)
        at_least("rollout.max_prompt_tokens", self.max_prompt_tokens, 1)


ADVANTAGES = ("trr++", "global", "group", "rloo", "two_level", "none")
"""Their formulas and sources are in azr.game.rewards.advantages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerConfig:
    """The update."""

    lr: float = 1e-6
    """AdamW's step size, constant; at 0 nothing is computed and nothing changes. (AZR)"""
    warmup_steps: int = 0
    """Linear rise of the step size from 0. (AZR: none)"""
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    """(AZR, paper branch)"""
    max_grad_norm: float = 1.0
    micro_batch_tokens: int = 16_384
    """Tokens per forward-backward pass; lower it when memory runs out, results do not change."""
    share_prompts: bool = True
    """Rollouts of an equal prompt read it once, with the same result; off = each by itself."""
    advantage: str = "trr++"
    """trr++: centred and scaled per stream. global: over the whole step. group: among the attempts
    at a task (GRPO). rloo: less the mean of the other attempts. two_level: proposals per stream,
    answers per group (ANCORA). none: the reward. Groups want selfplay.train_on_trials."""
    group_std: bool = True
    """Groups are divided by their standard deviation; off = centred only (Dr. GRPO)."""
    roles: tuple[Role, ...] = tuple(Role)
    """Whose rollouts the update learns from. `solver` alone freezes the proposer: it goes on
    proposing, with weights that only solving has moved; terms of entropy and divergence see all
    rollouts. (control)"""
    shuffle_rewards: bool = False
    """Rewards change places within their stream before they are compared, so that they say nothing
    about their rollout: what is learned then is not learned from them. (control)"""
    whitening: str = "sample"
    """sample: each rollout counts once (paper, eq. 8); token: by its length (AZR's code)."""
    mini_batches: int = 1
    """Optimizer steps a step's rollouts are dealt to. (AZR: one)"""
    epochs: int = 1
    """Times the rollouts are gone over. (AZR: ppo_epochs 1)"""
    entropy_target: float = 0.0
    """Nats a token below which an entropy bonus grows (arXiv 2505.22312, which takes 0.2);
    0 = loss.entropy_coef as it is."""
    entropy_step: float = 0.005
    """What the bonus' coefficient rises or falls by in an update. (arXiv 2505.22312)"""
    entropy_limit: float = 0.1
    """The coefficient's upper bound; it starts at loss.entropy_coef."""

    def __post_init__(self) -> None:
        """Check ranges."""
        object.__setattr__(self, "betas", tuple(self.betas))
        object.__setattr__(self, "roles", tuple(Role(role) for role in self.roles))
        if not self.roles:
            raise ConfigError(f"learner.roles must name at least one of {', '.join(Role)}")
        at_least("learner.lr", self.lr, 0.0)
        at_least("learner.micro_batch_tokens", self.micro_batch_tokens, 1)
        one_of("learner.advantage", self.advantage, ADVANTAGES)
        at_least("learner.mini_batches", self.mini_batches, 1)
        at_least("learner.epochs", self.epochs, 1)
        for name in ("entropy_target", "entropy_step", "entropy_limit"):
            at_least(f"learner.{name}", getattr(self, name), 0.0)
        one_of("learner.whitening", self.whitening, ("sample", "token"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """Where programs run and what they may use."""

    endpoints: tuple[str, ...] = ()
    """ZeroMQ addresses of running servers; empty = the run starts its own on ipc://."""
    server_key: str = ""
    """File with the servers' public CURVE key, for tcp:// endpoints."""
    client_key: str = ""
    """File with this client's secret CURVE key."""
    workers: int = 0
    """Of the run's own server; 0 = one per core, as far as a container's quota goes."""
    fuel: int = 2_000_000_000
    """Instruction budget of one call: a quarter of a second, at 8e9. (AZR: 10 s of wall clock)"""
    memory_bytes: int = 256 * 1024 * 1024
    output_bytes: int = 8 * 1024
    """Cap on a value's literal; larger values make a proposal invalid, they are never cut."""
    max_program_chars: int = 16_384
    max_input_chars: int = 4_096
    images: int = 10
    """Hash seeds, clocks, entropies and memory layouts that a proposal and an answer must agree
    under: a coin does once in 2^(images - 1). (paper: j = 2 runs)"""
    banned_modules: tuple[str, ...] | None = None
    """None = the reference's list; [] = none."""
    timeout_s: float = 120.0
    """Without a sign of life from any server for so long the machinery has failed: the run stops,
    resumable. A long queue is no failure."""

    def __post_init__(self) -> None:
        """Check ranges."""
        endpoints = (at_home("sandbox.endpoints", endpoint) for endpoint in self.endpoints)
        object.__setattr__(self, "endpoints", tuple(endpoints))
        for name in ("server_key", "client_key"):
            object.__setattr__(self, name, home(f"sandbox.{name}", getattr(self, name)))
        if self.banned_modules is not None:
            object.__setattr__(self, "banned_modules", tuple(self.banned_modules))
        within("sandbox.images", self.images, 1, MAX_IMAGES)
        at_least("sandbox.timeout_s", self.timeout_s, 1)


def at_home(key: str, endpoint: str) -> str:
    """An address with the `~` of its socket's path replaced."""
    scheme, separator, path = endpoint.partition("://")
    return f"{scheme}{separator}{home(key, path)}" if scheme == "ipc" else endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """Several GPUs: a process for each, which shares the learner and has an engine of its own."""

    processes: int = 1
    """`azr train` starts so many on this machine, one a GPU. Under torchrun the number is
    torchrun's, and this one is not looked at."""
    timeout_s: float = 1800.0
    """So long one process waits for the slowest in the exchange of gradients and weights."""

    def __post_init__(self) -> None:
        """Check ranges."""
        at_least("cluster.processes", self.processes, 1)
        at_least("cluster.timeout_s", self.timeout_s, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """Public suites during training; `azr eval` measures a finished run."""

    every: int = 0
    """Steps between evaluations; 0 = none."""
    at_start: bool = False
    """Whether the untrained model is evaluated before step 1, as step 0, whatever `every` is.
    (verl, AZR: val_before_train, on)"""
    suites: tuple[str, ...] = ("cruxeval-o",)
    """`azr eval --help` lists them."""
    limit: int = 64
    """The first so many items of each suite."""
    data: str = ""
    """Folder of the suites' files; empty = $AZR_SHARED_DATA, else the Hugging Face hub."""

    def __post_init__(self) -> None:
        """Check ranges."""
        object.__setattr__(self, "suites", tuple(self.suites))
        object.__setattr__(self, "data", home("evaluation.data", self.data))
        at_least("evaluation.every", self.every, 0)
        at_least("evaluation.limit", self.limit, 1)
        if (self.every or self.at_start) and not self.suites:
            raise ConfigError("evaluation.suites must name at least one suite")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointConfig:
    """What survives a kill."""

    every: int = 10
    """Steps between checkpoints. (AZR: save_freq)"""
    keep: int = 1
    """Newest checkpoints kept; older ones are removed. (AZR keeps 1)"""

    def __post_init__(self) -> None:
        """Check ranges."""
        at_least("checkpoint.every", self.every, 1)
        at_least("checkpoint.keep", self.keep, 1)


WANDB_TAG_CHARS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingConfig:
    """What is written beside metrics.jsonl."""

    tensorboard: bool = True
    wandb: bool = False
    wandb_project: str = "azr"
    wandb_tags: tuple[str, ...] = ()
    """Of the run in wandb; a resumed run keeps those it has there, unless some are given."""
    rollouts: bool = True
    """Keep every step's rollouts (rollouts/step_N.jsonl.gz)."""
    print_tasks: int = 0
    """Show so many of a step's new tasks, drawn at random, on stderr. (AZR: 3 a stream)"""
    profile_steps: tuple[int, ...] = ()
    """Steps whose update torch.profiler traces, into profile/step_N.json.gz of the run's folder,
    for ui.perfetto.dev. (verl: trainer.profile_steps, for Nsight)"""

    def __post_init__(self) -> None:
        """Check ranges."""
        object.__setattr__(self, "wandb_tags", tuple(self.wandb_tags))
        object.__setattr__(self, "profile_steps", tuple(self.profile_steps))
        if wrong := [tag for tag in self.wandb_tags if not 0 < len(tag) <= WANDB_TAG_CHARS]:
            raise ConfigError(
                f"logging.wandb_tags must be texts of 1 to {WANDB_TAG_CHARS} characters, got"
                f" {wrong[0]!r}: wandb takes no others"
            )
        at_least("logging.print_tasks", self.print_tasks, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """A whole run."""

    name: str = "run"
    """Folder below `runs`; taken names are refused unless resumed or overwritten."""
    runs: str = "runs"
    """Folder of all runs."""
    steps: int = 500
    """(paper)"""
    seed: int = 0
    model: ModelConfig = field(default_factory=ModelConfig)
    selfplay: SelfPlayConfig = field(default_factory=SelfPlayConfig)
    parsing: ParsingConfig = field(default_factory=ParsingConfig)
    composite: CompositeConfig = field(default_factory=CompositeConfig)
    rewards: RewardConfig = field(default_factory=RewardConfig)
    intrinsic: IntrinsicConfig = field(default_factory=IntrinsicConfig)
    novelty: NoveltyConfig = field(default_factory=NoveltyConfig)
    buffers: BuffersConfig = field(default_factory=BuffersConfig)
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    learner: LearnerConfig = field(default_factory=LearnerConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    logging: LoggingConfig = field(default_factory=LoggingConfig)

    def __post_init__(self) -> None:
        """Check ranges."""
        object.__setattr__(self, "runs", home("runs", self.runs))
        at_least("steps", self.steps, 0)
        limit = self.learner.entropy_limit
        if self.learner.entropy_target and not 0 <= self.loss.entropy_coef <= limit:
            raise ConfigError(
                f"loss.entropy_coef must be in [0, learner.entropy_limit = {limit}] where"
                f" learner.entropy_target is set, got {self.loss.entropy_coef}: it starts there"
            )
        if wrong := [step for step in self.logging.profile_steps if not 1 <= step <= self.steps]:
            raise ConfigError(
                f"logging.profile_steps must be steps of the run, 1 to {self.steps}, got {wrong[0]}"
            )
        if not self.name or "/" in self.name or self.name.startswith((".", "~")):
            raise ConfigError(f"name must be a plain folder name, got {self.name!r}")

    @property
    def has_reference(self) -> bool:
        """Whether the model the run started from is kept beside the learner's: two keys want it."""
        return self.loss.kl != "none" or self.rewards.kl != "none"

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.runs) / self.name


assert len(STREAMS) == 2 * len(Mode)
