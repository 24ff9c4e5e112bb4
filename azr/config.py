"""Every number a run depends on, with its unit and its source. Nothing else holds a default.

A file `config.toml` is read into these types by azr.settings; the resolved values are written
into the run folder. Validation lives here and names the dotted key, the value and the remedy.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from azr.composite_config import CompositeConfig
from azr.errors import ConfigError
from azr.loss_config import LossConfig
from azr.reward_config import IntrinsicConfig, NoveltyConfig
from azr.types import STREAMS, Mode, Reading, Role

__all__ = [
    "BuffersConfig",
    "CheckpointConfig",
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


def at_least(key: str, value: float, low: float, why: str = "") -> None:
    """Raise `ConfigError` unless value >= low."""
    if not value >= low:
        because = f": {why}" if why else ""
        raise ConfigError(f"{key} must be at least {low}, got {value}{because}")


def one_of(key: str, value: str, allowed: Collection[str]) -> None:
    """Raise `ConfigError` unless value is one of the allowed words."""
    if value not in allowed:
        raise ConfigError(f"{key} must be one of {', '.join(sorted(allowed))}, got {value!r}")


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
        one_of("model.dtype", self.dtype, ("float32", "bfloat16"))


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfPlayConfig:
    """The game."""

    modes: tuple[Mode, ...] = (Mode.DEDUCTION, Mode.ABDUCTION, Mode.INDUCTION)
    """Which are played. (paper; error is an experiment of its D.1)"""
    batch_size: int = 64
    """Proposals, and answers, per mode and step. (AZR, scripts/selfplay/7b.sh)"""
    trials_per_task: int = 8
    """Solver rollouts that estimate how hard a proposed task is. (AZR: n_samples)"""
    references: int = 6
    """Past tasks shown to the proposer. (AZR: io_n)"""
    induction_inputs: int = 10
    """Inputs an induction proposer gives; the first half is shown. (AZR: num_inputs)"""
    envelope: str = "r1"
    """r1 (think and answer tags), boxed, none, or completion (a few-shot pattern to continue:
    what models below 1B need, docs/LOG.md)."""
    pattern_examples: int = 3
    """Completion envelope: solved miniatures fill a pattern up to so many examples where there are
    fewer references. Fewer make prompts shorter and completions less often well-formed."""
    chat_template: bool = False
    """Wrap prompts in the model's chat template; off = plain text. (AZR: off for base models)"""
    same_step_tasks: bool = True
    """Solve a step's new tasks in that step (the paper's Algorithm 1); off = one step later."""
    train_proposer: bool = True
    """Off trains the solver only. (AZR: train_propose)"""
    error_banned: tuple[str, ...] = ()
    """Of assert, raise, try, except: statements error proposals may not use. (AZR: an option)"""
    propose_untrained: bool = False
    """With train_proposer off: propose all the same, so that the buffers grow (AZR's code);
    off = nothing is proposed."""
    pretrain_solver_steps: int = 0
    """The first so many steps train the solver only, on what is in the buffers. (AZR:
    pretrain_pred_steps)"""
    solver_tasks: str = "same_step"
    """What solvers are asked. same_step: each its slot's own proposal, else one drawn. Others
    draw for a whole mode: max_new, half_new, uniform, step (AZR: pred_data_mix_strategy),
    learnable (ours); docs/method/tasks.md."""
    update_iteration: int = 1
    """Steps whose prompts are drawn from the buffers as they were before the first of them; also
    the window of max_new and half_new. (AZR: update_iteration)"""
    train_on_trials: bool = False
    """The trials of a valid proposal are what its solver learns from, in place of one attempt
    more; with train_proposer off each drawn task is tried so often. (AZR: off, trials are thrown
    away; arXiv 2604.27644: on)"""

    def __post_init__(self) -> None:
        """Check ranges."""
        object.__setattr__(self, "modes", tuple(Mode(mode) for mode in self.modes))
        if not self.modes:
            raise ConfigError(f"selfplay.modes must name at least one of {', '.join(Mode)}")
        object.__setattr__(self, "error_banned", tuple(self.error_banned))
        for word in self.error_banned:
            one_of("selfplay.error_banned", word, ("assert", "raise", "try", "except"))
        one_of("selfplay.envelope", self.envelope, ("r1", "boxed", "none", "completion"))
        if self.chat_template and self.envelope == "completion":
            raise ConfigError(
                "selfplay.chat_template must be off with selfplay.envelope = completion:"
                " a pattern to continue is no chat"
            )
        if self.train_on_trials and not self.same_step_tasks:
            raise ConfigError(
                "selfplay.train_on_trials must be off with selfplay.same_step_tasks = false:"
                " trials are answers to the step's own tasks"
            )
        if (
            self.train_on_trials
            and self.solver_tasks != "same_step"
            and (self.train_proposer or self.propose_untrained)
        ):
            raise ConfigError(
                "selfplay.train_on_trials must be off with selfplay.solver_tasks ="
                f" {self.solver_tasks}: where tasks are proposed, trials are answers to these;"
                " or propose nothing (selfplay.train_proposer = false)"
            )
        at_least("selfplay.batch_size", self.batch_size, 1)
        at_least(
            "selfplay.trials_per_task",
            self.trials_per_task,
            2,
            "with one trial every task looks either trivial or impossible",
        )
        at_least("selfplay.references", self.references, 0)
        at_least("selfplay.pretrain_solver_steps", self.pretrain_solver_steps, 0)
        at_least("selfplay.update_iteration", self.update_iteration, 1)
        one_of(
            "selfplay.solver_tasks",
            self.solver_tasks,
            ("same_step", "max_new", "half_new", "uniform", "step", "learnable"),
        )
        at_least("selfplay.pattern_examples", self.pattern_examples, 1)
        at_least(
            "selfplay.induction_inputs", self.induction_inputs, 2, "half is shown, half hidden"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsingConfig:
    """How proposals and answers are read from completions (AZR: parse_code_input_output).

    What needs Python's grammar (renaming, counting, stripping) runs inside the sandbox.
    """

    format: str = "strict"
    """r1 envelope: prefix (AZR's get_format_reward: whatever follows the first answer), strict
    (the last answer is closed as well), exact (one thought, one answer, nothing else)."""
    code_block: str = "first"
    """A proposal's program is the first or the last block of code. (AZR: code_location)"""
    entry: str = "f"
    """Which module-level function is the entry: f (it is called so), or one that is renamed to f:
    not_first (the first, always), not_last (the last, always), any_first, any_last (f if there is
    one, else the first, the last). (AZR: f_replace_location, not_first)"""
    reject_multiple_functions: bool = False
    """Refuse proposals with more than one def, nested ones and methods included. (AZR: on, while
    its prompt welcomes them)"""
    reject_test_input: bool = False
    """Refuse programs that seem to hold a test of themselves. (AZR: reject_test_input_in_code)"""
    strip_comments: bool = False
    """Take comments and docstrings out of proposed programs. (AZR: remove_comments; the paper
    found that it hurts self-play)"""
    strip_globals: bool = False
    """Keep imports, classes and functions alone at module level. (AZR: remove_after_return)"""
    strip_prints: bool = False
    """Take calls of print out. (AZR: remove_print)"""
    seeding_strip_comments: bool = False
    """The same while seeding. (AZR's seeding scripts: on)"""
    seeding_strip_globals: bool = False
    """The same while seeding. (AZR's seeding scripts: on)"""
    seeding_strip_prints: bool = False
    """The same while seeding. (AZR: off)"""

    def __post_init__(self) -> None:
        """Check words."""
        one_of("parsing.format", self.format, ("prefix", "strict", "exact"))
        one_of("parsing.code_block", self.code_block, ("first", "last"))
        one_of("parsing.entry", self.entry, ("f", "not_first", "not_last", "any_first", "any_last"))

    @property
    def reading(self) -> Reading:
        """What a reader of completions has to know."""
        return Reading(
            format=self.format,
            code_block=self.code_block,
            entry=self.entry,
            reject_test_input=self.reject_test_input,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardConfig:
    """From verdicts to numbers. The paper is arXiv 2505.03335."""

    wrong: float = -0.5
    """A well-formed answer that is wrong. (paper, eq. 6)"""
    ill_formed: float = -1.0
    """No readable answer or proposal. (paper, eq. 6)"""
    invalid_proposal: float = -1.0
    """A well-formed proposal that does not run, is unsafe or not deterministic. (AZR's code)"""
    not_novel: float | None = None
    """A valid proposal that [novelty] refuses; default = as an invalid one."""
    unlearnable: float = 0.0
    """A valid proposal that every trial or none solves. (paper, eq. 4; AZR's code pays -0.5)"""
    learnability: str = "one_minus"
    """one_minus: 1 - solve rate (paper); inverse: 1 also at rate 0; variance: 4p(1-p)."""
    induction: str = "binary"
    """binary: all hidden cases; accuracy: their share; any: one. (AZR: code_f_reward_type)"""

    def __post_init__(self) -> None:
        """Check ranges."""
        one_of("rewards.learnability", self.learnability, ("one_minus", "inverse", "variance"))
        one_of("rewards.induction", self.induction, ("binary", "accuracy", "any"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BuffersConfig:
    """The tasks of the past."""

    max_tasks: int = 16_384
    """The newest so many of each mode can be drawn; all stay on disk. (AZR: max_programs)"""
    seed_tasks: int = 256
    """Tasks per mode the model makes itself before step 1. (AZR: 64 x 4)"""
    seed_file: str = ""
    """JSON Lines of seed tasks to start from instead: what `azr seed` or `azr tasks` writes, or
    AZR's own seed files. Each is judged again before it enters."""
    max_seed_rounds: int = 64
    """Seeding ends after so many rounds and the run goes on with what there is, with a warning."""
    store: str = "all"
    """Valid proposals that enter, by solve rate: all, non_one (below 1) or non_extremes (above 0
    as well). (AZR: valid_program_filter)"""
    reference_sampling: str = "uniform"
    """References of proposers: uniform; recency, by born step + 1 (AZR:
    gen_data_probabilities_strategy = step); easy, short and often solved ones first (ours)."""

    def __post_init__(self) -> None:
        """Check ranges."""
        one_of("buffers.store", self.store, ("all", "non_one", "non_extremes"))
        one_of(
            "buffers.reference_sampling",
            self.reference_sampling,
            ("uniform", "recency", "easy"),
        )
        at_least("buffers.max_tasks", self.max_tasks, 1)
        at_least("buffers.seed_tasks", self.seed_tasks, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CurriculumConfig:
    """Longer programs little by little: proposals over the limit are refused. Ours."""

    lines_from: int = 0
    """Most lines of a program before step 1, blank ones not counted; 0 = no limit, ever."""
    lines_to: int = 40
    """The same from step `curriculum.steps` on; between the two it grows linearly."""
    steps: int = 100

    def __post_init__(self) -> None:
        """Check ranges."""
        at_least("curriculum.lines_from", self.lines_from, 0)
        at_least("curriculum.steps", self.steps, 1)
        if self.lines_from:
            at_least("curriculum.lines_from", self.lines_from, 2, "the zero task has two lines")
            at_least("curriculum.lines_to", self.lines_to, self.lines_from, "it grows")


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutConfig:
    """Sampling."""

    engine: str = "auto"
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
    """The same, mean over the probe, when engine or learner computes in bfloat16."""

    def __post_init__(self) -> None:
        """Check ranges."""
        one_of("rollout.engine", self.engine, ("auto", "vllm", "transformers"))
        one_of("rollout.dtype", self.dtype, ("float32", "bfloat16"))
        if not self.temperature > 0:
            raise ConfigError(
                f"rollout.temperature must be above 0, got {self.temperature}:"
                " greedy samples of a task are all alike and its learnability is then always 0"
            )
        at_least("rollout.max_completion_tokens", self.max_completion_tokens, 1)
        at_least("rollout.max_prompt_tokens", self.max_prompt_tokens, 1)


ADVANTAGES = ("trr++", "global", "group", "rloo", "two_level", "none")
"""Their formulas and sources are in azr.advantages."""


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
    """Of the run's own server; 0 = one per core."""
    fuel: int = 2_000_000_000
    """Instruction budget of one call, about a second. (AZR: 10 s of wall clock)"""
    memory_bytes: int = 256 * 1024 * 1024
    output_bytes: int = 8 * 1024
    """Cap on a value's literal; larger values make a proposal invalid, they are never cut."""
    max_program_chars: int = 16_384
    max_input_chars: int = 4_096
    images: int = 2
    """Hash seeds, clocks and entropies a proposal must agree under. (paper: j = 2 runs)"""
    banned_modules: tuple[str, ...] | None = None
    """None = the reference's list; [] = none."""
    timeout_s: float = 120.0
    """Without an answer for so long the machinery has failed: the run stops, resumable."""

    def __post_init__(self) -> None:
        """Check ranges."""
        object.__setattr__(self, "endpoints", tuple(self.endpoints))
        if self.banned_modules is not None:
            object.__setattr__(self, "banned_modules", tuple(self.banned_modules))
        at_least("sandbox.images", self.images, 1)
        at_least("sandbox.timeout_s", self.timeout_s, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """Public suites during training; `azr eval` measures a finished run."""

    every: int = 0
    """Steps between evaluations; 0 = none."""
    suites: tuple[str, ...] = ("cruxeval-o",)
    """`azr eval --help` lists them."""
    limit: int = 64
    """The first so many items of each suite."""
    data: str = ""
    """Folder of the suites' files; empty = $AZR_SHARED_DATA. docs/evaluation.md has the format."""

    def __post_init__(self) -> None:
        """Check ranges."""
        object.__setattr__(self, "suites", tuple(self.suites))
        at_least("evaluation.every", self.every, 0)
        at_least("evaluation.limit", self.limit, 1)
        if self.every and not self.suites:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingConfig:
    """What is written beside metrics.jsonl."""

    tensorboard: bool = True
    wandb: bool = False
    wandb_project: str = "azr"
    rollouts: bool = True
    """Keep every step's rollouts (rollouts/step_N.jsonl.gz)."""
    print_tasks: int = 0
    """Show so many of a step's new tasks, drawn at random, on stderr. (AZR: 3 a stream)"""

    def __post_init__(self) -> None:
        """Check ranges."""
        at_least("logging.print_tasks", self.print_tasks, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """A whole run."""

    name: str = "run"
    """Folder below `runs`; taken names are refused unless resumed or overwritten."""
    runs: str = "runs"
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
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    checkpoint: CheckpointConfig = field(default_factory=CheckpointConfig)
    logging: LoggingConfig = field(default_factory=LoggingConfig)

    def __post_init__(self) -> None:
        """Check ranges."""
        at_least("steps", self.steps, 0)
        limit = self.learner.entropy_limit
        if self.learner.entropy_target and not 0 <= self.loss.entropy_coef <= limit:
            raise ConfigError(
                f"loss.entropy_coef must be in [0, learner.entropy_limit = {limit}] where"
                f" learner.entropy_target is set, got {self.loss.entropy_coef}: it starts there"
            )
        if not self.name or "/" in self.name or self.name.startswith("."):
            raise ConfigError(f"name must be a plain folder name, got {self.name!r}")

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.runs) / self.name


assert len(STREAMS) == 2 * len(Mode)
