"""From verdicts to numbers: the table of rewards, as functions of values.

| stream   | ill-formed | not valid / wrong       | valid / right                                  |
|----------|------------|-------------------------|------------------------------------------------|
| proposer | ill_formed | invalid_proposal (1)    | learnability, or unlearnable where that is 0   |
| solver   | ill_formed | wrong                   | 1 (induction: its share, by rewards.induction) |

(1) not_novel where [novelty] refuses a valid proposal, if the run gives that a number.
"""

from azr.config.run import RewardConfig
from azr.types import Grade, Verdict

__all__ = ["answer_reward", "learnability", "proposal_reward"]


def learnability(solve_rate: float, kind: str = "one_minus") -> float:
    """Return what a task can still teach, given the share of trials that solve it.

    Args:
        solve_rate: In [0, 1].
        kind: `one_minus`: 1 - rate, and 0 at rate 0 (paper, eq. 4). `inverse`: 1 - rate, so 1 at
            rate 0. `variance`: 4 rate (1 - rate), largest if half of the trials pass.

    Returns:
        A number in [0, 1]; 0 whenever every trial passes.
    """
    assert 0.0 <= solve_rate <= 1.0, solve_rate
    if kind == "variance":
        return 4.0 * solve_rate * (1.0 - solve_rate)
    if kind == "one_minus" and solve_rate == 0.0:
        return 0.0
    return 1.0 - solve_rate


def proposal_reward(
    verdict: Verdict, solve_rate: float | None, config: RewardConfig, *, is_novel: bool = True
) -> float:
    """Reward a proposer; `solve_rate` is given exactly when the verdict is PASSED.

    Intrinsic terms are added later (intrinsic), then the price of repetition (novelty).
    """
    if verdict is Verdict.ILL_FORMED:
        return config.ill_formed
    if not is_novel and config.not_novel is not None:
        return config.not_novel
    if verdict is Verdict.FAILED:
        return config.invalid_proposal
    assert solve_rate is not None, "a valid proposal has a solve rate"
    # A task that teaches nothing is valid all the same: what it is paid is the run's choice.
    return learnability(solve_rate, config.learnability) or config.unlearnable


def answer_reward(grade: Grade, config: RewardConfig) -> float:
    """Reward a solver for being right.

    Only induction has partial credit, because it checks several cases. In all other modes the score
    is 0 or 1, and all values of rewards.induction mean the same.
    """
    if grade.verdict is Verdict.ILL_FORMED:
        return config.ill_formed
    if grade.verdict is Verdict.PASSED:
        return 1.0
    partial = {
        "binary": 0.0,
        "accuracy": grade.score,
        "any": 1.0 if grade.score > 0 else 0.0,
    }[config.induction]
    return partial if partial > 0 else config.wrong
