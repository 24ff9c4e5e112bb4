"""What verdicts are worth, what else a proposer is paid for, and what is too like to be a task.

The sections [rewards], [intrinsic] and [novelty] of run; docs/method/rewards.md says more.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from azr.config.kinds import Amount, Count, Natural, Share
from azr.config.section import Section
from azr.errors import ConfigError

__all__ = ["IntrinsicConfig", "NoveltyConfig", "RewardConfig"]


class RewardConfig(Section, title="rewards"):
    """From verdicts to numbers. The paper is arXiv 2505.03335."""

    wrong: float = -0.5
    """A well-formed answer that is wrong. (paper, eq. 6) Raise it towards 0 when models answer less
    and less."""
    ill_formed: float = -1.0
    """No readable answer or proposal. (paper, eq. 6) Keep it the lowest of all."""
    invalid_proposal: float = -1.0
    """A well-formed proposal that does not run, is unsafe or not deterministic. (AZR's code) Raise
    it when proposers only play safe."""
    not_novel: float | None = None
    """A valid proposal that [novelty] refuses; default is the reward of an invalid one. Raise it,
    say to -0.5, when the gate refuses most of them."""
    unlearnable: float = 0.0
    """A valid proposal that all trials solve, or none. (paper, eq. 4; AZR's code: -0.5) Lower it to
    repeat the authors' code."""
    learnability: Literal["one_minus", "inverse", "variance"] = "one_minus"
    """The reward of a valid proposal with solve rate p. one_minus: 1 - p, and 0 at p = 0 (paper);
    inverse: 1 - p, also at p = 0; variance: 4 p (1 - p). Take variance when proposals become too
    hard."""
    induction: Literal["binary", "accuracy", "any"] = "binary"
    """Which hidden cases an induction answer must get right. binary: all of them; accuracy: the
    reward is their share; any: one of them. (AZR: code_f_reward_type) Take accuracy for models that
    seldom get all."""
    kl: Literal["none", "k1", "abs", "k2", "k3"] = "none"
    """Estimator of the divergence from the model that the run started from; it lowers every
    rollout's reward, and keeps that model in memory. (verl: use_kl_in_reward, off) Set k1 when the
    model drifts into gibberish; loss.kl acts in the loss instead."""
    kl_coef: Amount = 0.001
    """Price of a nat of divergence, summed over the rollout's tokens; 0 only reports it. (verl:
    kl_ctrl.kl_coef) Set 0 first, to see how large it is."""
    kl_target: Amount = 0.0
    """Divergence in nats per token; kl_coef grows above it and shrinks below it (arXiv 1909.08593,
    2.2). 0 leaves kl_coef constant. (verl: kl_ctrl.type fixed; if adaptive, target_kl 0.1) Set it
    when you know the distance you want, not its price."""
    kl_horizon: Count = 10_000
    """Rollouts in which kl_coef moves by a fifth at most. (verl: kl_ctrl.horizon) Lower it when
    kl_coef adapts too slowly."""

    @model_validator(mode="after")
    def _something_moves(self) -> Self:
        if self.kl_target > 0 and (self.kl == "none" or self.kl_coef == 0):
            raise ConfigError(
                f"rewards.kl_target must be 0 unless rewards.kl is on and rewards.kl_coef above 0,"
                f" got {self.kl_target} with {self.kl!r} and {self.kl_coef}: it moves kl_coef by a"
                " factor"
            )
        return self


class IntrinsicConfig(Section, title="intrinsic"):
    """Terms beside learnability, paid where that is above 0: min(coefficient * value, max) each.

    A coefficient of 0 measures a term and pays nothing for it: so in the paper (D.4).
    """

    complexity: Amount = 0.0
    """Coefficient of cognitive complexity / 15. Set it when programs stay straight lines."""
    mean_edit_distance: Amount = 0.0
    """Coefficient of the syntax tree's mean distance to the references of the prompt, in [0, 1].
    Set it when proposals copy their references."""
    halstead: Amount = 0.0
    """Coefficient of 0.5 min(effort/10000, 1) + 0.3 min(cyclomatic/10, 1) + 0.2 min(volume/500, 1).
    Set it when programs stay small."""
    answer_diversity: Amount = 0.0
    """Coefficient of the answer's rarity among the mode's tasks, in deduction and abduction. Set it
    when answers repeat."""
    input_diversity: Amount = 0.0
    """Coefficient of the same for an induction task's inputs, as a mean over its cases. Set it when
    inputs repeat."""
    output_diversity: Amount = 0.0
    """Coefficient of the same for its outputs. Set it when outputs repeat."""
    max: Amount = 0.5
    """Most that a single term pays. (AZR: 0.5) Lower it when a term outweighs learnability."""
    surprise: Literal["flat", "hierarchical"] = "flat"
    """How rarity is computed. flat: 1 - the answer's frequency; hierarchical: the mean of its
    type's rarity and its own within the type. (AZR's code: answer_diversity_reward, hierarchical)
    Take hierarchical when one type of answers prevails."""
    combine: Literal["sum", "multiply", "sum_multiply", "multiply_sum"] = "sum"
    """sum: r + terms; multiply: r * product; sum_multiply: r + product; multiply_sum: r * sum.
    (paper, D.4: sum is the most stable) Change it to repeat the paper's comparison."""
    clip: Annotated[float | None, Field(ge=0)] = None
    """Most that a proposal is paid in all; default is no limit. Set 1 to keep rewards in the
    paper's range."""


class NoveltyConfig(Section, title="novelty"):
    """Which valid proposals become tasks; all but `dedupe` is for proposers of programs."""

    dedupe: Literal["exact", "structure", "none"] = "exact"
    """Which tasks are stored only once. exact: equal tasks; structure: also programs of a mode that
    differ only in names, layout and annotations; none: all tasks are stored. (AZR: none) Take
    structure when the buffers fill with renamed copies."""
    min_distance: Share = 0.0
    """Refuse programs whose syntax tree is closer than this to one of the mode's last tasks; 0 is
    off. Set 0.01 to refuse the same tree with other names and constants."""
    window: Count = 256
    """Number of last tasks with which min_distance compares. Raise it when old programs come back.
    """
    max_copies: Natural = 0
    """Most tasks of a mode with the same program, also under other names; 0 is any number. Set 1
    for small models: without it their curriculum dies (docs/results.md)."""
    min_nodes: Natural = 0
    """Refuse programs with fewer nodes in their syntax tree; `return x` has 6. Set it when
    proposals shrink."""
    require_use_of_input: bool = False
    """Refuse programs whose `f` reads none of its parameters. Switch it on for small models, which
    learn to return constants."""
    repetition_penalty: Amount = 0.0
    """Lower a proposal's pay by this times its cluster's share of the mode's batch, never below 0;
    programs closer than 0.1 form one cluster. (R-Zero, arXiv 2508.05004, which clusters by BLEU)
    Set it when a batch's proposals are alike."""

    memory_nearest: Amount = 0.0
    """Lower a proposal's pay by this times its likeness to the most similar program that its mode
    has stored, never below 0; likeness is 1 - the distance of syntax trees. (R-Diverse, arXiv
    2602.13103) Set it, say to 0.2, when programs come back that the window has forgotten."""
    memory_mean: Amount = 0.0
    """The same with its mean likeness to all programs that the mode has stored. (R-Diverse) Set it
    when all programs become one kind."""

    @property
    def compares(self) -> bool:
        """Whether a proposal is measured against others of its step."""
        return self.min_distance > 0 or self.max_copies > 0

    @property
    def needs_structures(self) -> bool:
        """Whether the programs of all stored tasks must be profiled."""
        return self.dedupe == "structure" or self.max_copies > 0 or self.remembers

    @property
    def remembers(self) -> bool:
        """Whether a proposal pays for likeness to all that was stored before its step."""
        return self.memory_nearest > 0 or self.memory_mean > 0
