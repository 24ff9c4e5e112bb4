"""Evaluation inside a run, every N steps and before the first.

It makes one greedy attempt at each of a few items, with the run's own template and limits, so the
curve depends only on the weights. RUN/eval/training/step_N holds the attempts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from azr.config.run import RunConfig
from azr.evaluation.grading.graders import Graders
from azr.evaluation.ledger import Ledger
from azr.evaluation.maths.grader import MathsGrader
from azr.evaluation.request import template_of
from azr.evaluation.runner import Examiner, Plan, attempt_suite
from azr.evaluation.suites.data import SuiteData, data_folder, load_suite
from azr.evaluation.suites.suites import suites_named
from azr.evaluation.summary import Summary, summarize
from azr.game.judge.judge import Executor
from azr.rollout.asking import AskingPolicy

__all__ = ["TrainingEvaluation", "training_suites"]


def training_suites(config: RunConfig) -> list[SuiteData]:
    """Return the suites of `evaluation.suites`, cut to `evaluation.limit` items; none if it is off.

    Raises:
        ConfigError: A suite is unknown, or its file is missing.
        DataUnavailable: A suite must be fetched and cannot be.
    """
    wanted = config.evaluation
    if wanted.every == 0 and not wanted.at_start:
        return []
    folder = data_folder(Path(wanted.data) if wanted.data else None)
    suites = suites_named(list(wanted.suites), "evaluation.suites")
    return [load_suite(suite, folder).first(wanted.limit) for suite in suites]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingEvaluation:
    """Called by the trainer after each step; evaluates every `evaluation.every`-th step.

    Step 0 is the untrained model: `evaluation.at_start`.
    """

    config: RunConfig
    suites: Sequence[SuiteData]
    policy: AskingPolicy
    executor: Executor
    folder: Path
    """Folder of the attempts."""
    knows_untrained: bool = False
    """Whether the metrics have the untrained model's scores already, because the run is resumed."""

    def is_due(self, step: int) -> bool:
        """Tell whether the weights of this step are evaluated."""
        wanted = self.config.evaluation
        if step == 0:
            return bool(self.suites) and wanted.at_start and not self.knows_untrained
        return bool(self.suites) and wanted.every > 0 and step % wanted.every == 0

    async def scores(self, step: int) -> dict[str, float]:
        """Return `eval/<suite>/pass@1` and the ends of its 95 % interval.

        They include the policy's statistics of the step so far, so that the evaluation's own
        samples are not part of these.

        Raises:
            ExecutorUnavailable: The machinery failed.
        """
        scores = self.policy.stats()
        async with MathsGrader() as maths:
            examiner = Examiner(
                policy=self.policy,
                grader=Graders(self.executor, self.config.sandbox, maths),
                count_tokens=self.policy.count_tokens,
                max_prompt_tokens=self.config.rollout.max_prompt_tokens,
                max_concurrent=self.config.rollout.max_concurrent,
            )
            for data in self.suites:
                found = (await self._attempt(data, step, examiner)).headline
                name = f"eval/{data.suite.name}/pass@1"
                scores |= {name: found.value, f"{name}/low": found.low, f"{name}/high": found.high}
        self.policy.stats()  # of the evaluation: dropped
        return scores

    async def _attempt(self, data: SuiteData, step: int, examiner: Examiner) -> Summary:
        plan = Plan(
            template=template_of(self.config),
            max_tokens=self.config.rollout.max_completion_tokens,
        )
        file = self.folder / f"step_{step}" / data.suite.name / "attempts.jsonl"
        file.unlink(missing_ok=True)  # of a step that a resume plays again
        with Ledger(file) as ledger:
            await attempt_suite(data, plan, examiner, ledger)
            return summarize([[ledger[key] for key in plan.keys(i)] for i in data.items])
