"""What verdicts are worth, what else a proposer is paid for, and what is too like to be a task.

The sections [rewards], [intrinsic] and [novelty] of run; docs/method/rewards.md says more.
"""

from dataclasses import dataclass, field, fields

from azr.config.checks import one_of, within
from azr.errors import ConfigError

__all__ = ["TERMS", "IntrinsicConfig", "NoveltyConfig", "RewardConfig", "TermConfig"]

DIVERGENCES = ("none", "k1", "abs", "k2", "k3")
"""Those of loss.kl (azr.config.loss) but k3+, which differs from k3 in its gradient alone."""

COMBINATIONS = ("sum", "multiply", "sum_multiply", "multiply_sum")


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
    kl: str = "none"
    """k1, abs, k2, k3 (as in loss.kl): every rollout's reward is lowered by its divergence from the
    model the run started from, which is then kept in memory too. (verl: use_kl_in_reward, off)"""
    kl_coef: float = 0.001
    """What a nat costs, summed over the rollout's tokens; 0 reports it and takes nothing off.
    (verl: kl_ctrl.kl_coef)"""
    kl_target: float = 0.0
    """Nats a token above which kl_coef grows and below which it shrinks (arXiv 1909.08593, 2.2);
    0 = it is constant. (verl: kl_ctrl.type fixed; where adaptive, target_kl 0.1)"""
    kl_horizon: int = 10_000
    """Rollouts in which kl_coef moves by about a fifth at most. (verl: kl_ctrl.horizon)"""

    def __post_init__(self) -> None:
        """Check ranges."""
        one_of("rewards.learnability", self.learnability, ("one_minus", "inverse", "variance"))
        one_of("rewards.induction", self.induction, ("binary", "accuracy", "any"))
        one_of("rewards.kl", self.kl, DIVERGENCES)
        within("rewards.kl_coef", self.kl_coef, 0.0)
        within("rewards.kl_target", self.kl_target, 0.0)
        within("rewards.kl_horizon", self.kl_horizon, 1)
        if self.kl_target > 0 and (self.kl == "none" or self.kl_coef == 0):
            raise ConfigError(
                f"rewards.kl_target must be 0 unless rewards.kl is on and rewards.kl_coef above 0,"
                f" got {self.kl_target} with {self.kl!r} and {self.kl_coef}: it moves kl_coef by a"
                " factor"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TermConfig:
    """One intrinsic reward: min(coef * value, max)."""

    coef: float = 0.0
    """0 = measured, not paid. (AZR: 0)"""
    max: float = 0.5
    """Most that the term pays. (AZR: 0.5)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrinsicConfig:
    """Terms beside learnability, paid where that is above 0; all off in the paper (D.4)."""

    complexity: TermConfig = field(default_factory=TermConfig)
    """Cognitive complexity / 15."""
    mean_edit_distance: TermConfig = field(default_factory=TermConfig)
    """Distance of the syntax tree to the references' of the prompt, in [0, 1], as a mean."""
    halstead: TermConfig = field(default_factory=TermConfig)
    """0.5 min(effort/10000, 1) + 0.3 min(cyclomatic/10, 1) + 0.2 min(volume/500, 1)."""
    answer_diversity: TermConfig = field(default_factory=TermConfig)
    """How seldom the answer was seen in the mode's tasks; deduction and abduction."""
    input_diversity: TermConfig = field(default_factory=TermConfig)
    """The same of an induction task's inputs, as a mean over its cases."""
    output_diversity: TermConfig = field(default_factory=TermConfig)
    """The same of its outputs."""
    surprise: str = "flat"
    """Of an answer: flat = 1 - its frequency; hierarchical = mean of its type's and, within the
    type, its own. (AZR's code: answer_diversity_reward, hierarchical)"""
    combine: str = "sum"
    """sum: r + terms; multiply: r * product; sum_multiply: r + product; multiply_sum: r * sum.
    (paper, D.4: sum is the most stable)"""
    clip: float | None = None
    """Most that a proposal is paid in all; default = no limit."""

    def __post_init__(self) -> None:
        """Check ranges."""
        for term in TERMS:
            config: TermConfig = getattr(self, term)
            within(f"intrinsic.{term}.coef", config.coef, 0.0)
            within(f"intrinsic.{term}.max", config.max, 0.0)
        one_of("intrinsic.surprise", self.surprise, ("flat", "hierarchical"))
        one_of("intrinsic.combine", self.combine, COMBINATIONS)
        if self.clip is not None:
            within("intrinsic.clip", self.clip, 0.0)


TERMS: tuple[str, ...] = tuple(
    entry.name for entry in fields(IntrinsicConfig) if entry.default_factory is TermConfig
)
"""Names of the terms; azr.types.Merits has a value for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoveltyConfig:
    """Which valid proposals become tasks; all but `dedupe` is for proposers of programs."""

    dedupe: str = "exact"
    """What is stored once: exact = equal tasks; structure = also programs of a mode that differ
    in names, layout and annotations alone; none = every task. (AZR: none)"""
    min_distance: float = 0.0
    """Closer than this to one of the last tasks of its mode a program is not novel; distance of
    syntax trees, in [0, 1]: 0.01 refuses the same tree with other names and constants. 0 = off."""
    window: int = 256
    """How many of the last tasks `min_distance` looks at."""
    max_copies: int = 0
    """Tasks of a mode with the same program (up to renaming), at most; 0 = any number."""
    min_nodes: int = 0
    """Programs with fewer nodes in their syntax tree are refused; 0 = none. `return x` has 6."""
    require_use_of_input: bool = False
    """Programs whose `f` reads none of its parameters are refused."""
    repetition_penalty: float = 0.0
    """A proposal is paid less by this times its cluster's share of the mode's batch, never less
    than 0. 0 = off. (R-Zero, arXiv 2508.05004: its clusters go by BLEU)"""
    cluster_distance: float = 0.1
    """Proposals closer than this are of one cluster, and so are those of theirs."""

    def __post_init__(self) -> None:
        """Check ranges."""
        one_of("novelty.dedupe", self.dedupe, ("exact", "structure", "none"))
        within("novelty.min_distance", self.min_distance, 0.0, 1.0)
        within("novelty.window", self.window, 1)
        within("novelty.max_copies", self.max_copies, 0)
        within("novelty.min_nodes", self.min_nodes, 0)
        within("novelty.repetition_penalty", self.repetition_penalty, 0.0)
        within("novelty.cluster_distance", self.cluster_distance, 0.0, 1.0)

    @property
    def compares(self) -> bool:
        """Whether a proposal is measured against others of its step."""
        return self.min_distance > 0 or self.max_copies > 0

    @property
    def needs_structures(self) -> bool:
        """Whether the programs of all stored tasks must be profiled."""
        return self.dedupe == "structure" or self.max_copies > 0
