"""The game: which modes, how texts are read, which tasks are kept, how long programs may get.

The sections [selfplay], [parsing], [buffers] and [curriculum] of azr.config.run.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, Strict, model_validator

from azr.config.kinds import Count, HomePath, ListOf, Natural, OneOf, Share, because
from azr.config.section import Section
from azr.errors import ConfigError
from azr.types import Mode, ParseRules

__all__ = [
    "AnchorsConfig",
    "BuffersConfig",
    "CompositeConfig",
    "CurriculumConfig",
    "GroundingConfig",
    "ParsingConfig",
    "SelfPlayConfig",
    "can_play_ahead",
    "rates_agree",
]

OWN_ARGUMENTS = frozenset({
    "add_generation_prompt", "chat_template", "continue_final_message", "conversation", "documents",
    "max_length", "messages", "padding", "return_assistant_tokens_mask", "return_dict",
    "return_tensors", "tokenize", "tokenizer_kwargs", "tools", "truncation",
})  # fmt: skip
"""What azr, or transformers itself, says to a chat template."""


class SelfPlayConfig(Section, title="selfplay"):
    """The game."""

    modes: Annotated[ListOf[OneOf[Mode]], Field(min_length=1)] = (
        Mode.DEDUCTION,
        Mode.ABDUCTION,
        Mode.INDUCTION,
    )
    """The kinds of tasks. (paper: the default three; error is an experiment of its D.1) Leave some
    out to study the others, or add error."""
    batch_size: Count = 64
    """Proposals, and as many answers, per mode and step. (AZR, scripts/selfplay/7b.sh) Lower it on
    a small machine; a stream needs several to be compared."""
    trials_per_task: Annotated[
        int, Field(ge=2), because("with one trial every task looks either trivial or impossible")
    ] = 8
    """Attempts that measure how hard a proposed task is. (AZR: n_samples) Lower it for faster
    steps; raise it for finer solve rates."""
    references: Natural = 6
    """Past tasks that a proposer is shown. (AZR: io_n) Lower it to shorten prompts; 0 is the
    paper's ablation."""
    induction_inputs: Annotated[int, Field(ge=2), because("half is shown, half hidden")] = 10
    """Inputs that an induction proposer gives; the first half is shown to the solver. (AZR:
    num_inputs) Lower it for models that cannot write ten good ones."""
    envelope: Literal["r1", "boxed", "none", "completion"] = "r1"
    """How an instruction is presented and an answer is wrapped: r1 (think and answer tags), boxed,
    none, or completion (a few-shot pattern to continue). Take completion for models below 1B, boxed
    or none for tuned models that ignore the tags."""
    pattern_examples: Count = 3
    """With envelope completion: if there are fewer references, solved miniatures fill the pattern
    up to this number of examples. Lower it to shorten prompts, at the price of fewer well-formed
    completions."""
    chat_template: bool = False
    """Wrap prompts in the model's chat template; off is plain text. (AZR: off for base models)
    Switch it on for instruction-tuned models."""
    chat_template_kwargs: Mapping[str, str | int | float | bool] = Field(
        default_factory=dict[str, str | int | float | bool]
    )
    """Arguments of the chat template: a table `[selfplay.chat_template_kwargs]` with
    `enable_thinking = false`, on the command line as JSON. (vLLM, TRL: the same name) Set what the
    model's card names."""
    same_step_tasks: bool = True
    """Solve a step's new tasks in that step (the paper's Algorithm 1); off solves them one step
    later. Switch it off to repeat the authors' code, or to keep a GPU busy."""
    train_proposer: bool = True
    """Propose tasks and learn from proposing; off trains the solver alone, on the run's seeds.
    (AZR: train_propose) Switch it off for the paper's ablation."""
    error_banned: ListOf[Literal["assert", "raise", "try", "except"]] = ()
    """Statements that programs of error tasks may not use. (AZR: an option) Ban some when all
    errors are raised on purpose."""
    propose_untrained: bool = False
    """With train_proposer off: still propose, so that the buffers grow (AZR's code); off proposes
    nothing. Switch it on to repeat the authors' ablation."""
    pretrain_solver_steps: Natural = 0
    """Number of first steps that train the solver alone, on tasks of the buffers. (AZR:
    pretrain_pred_steps) Set it with a seed file, when solvers fail nearly everything."""
    solver_tasks: Literal[
        "same_step", "max_new", "half_new", "uniform", "step", "learnable", "learnability"
    ] = "same_step"
    """What solvers are asked. same_step: each its slot's own proposal, else one drawn. The others
    draw for a whole mode: max_new, half_new, uniform, step (AZR: pred_data_mix_strategy), learnable
    (solve rate not 0 or 1), learnability (by the rate p, weight p (1 - p); both ours). Take max_new
    to repeat the authors' code; docs/method/tasks.md compares them."""
    update_iteration: Count = 1
    """Steps that form a block: their prompts are drawn from the buffers as they were before it;
    also the window of max_new and half_new. (AZR: update_iteration) Change it only to repeat a run
    of the authors'."""
    train_on_trials: bool = False
    """Learn from the trials of a valid proposal instead of one more attempt; with train_proposer
    off each drawn task is tried so often. (AZR: off; arXiv 2604.27644: on) Switch it on to use the
    80 % of generations that the paper throws away."""

    @model_validator(mode="after")
    def _template_takes_them(self) -> Self:
        key = "selfplay.chat_template_kwargs"
        if self.chat_template_kwargs and not self.chat_template:
            raise ConfigError(f"{key} must be left out with selfplay.chat_template = false")
        for name in self.chat_template_kwargs:
            if name in OWN_ARGUMENTS or not name.isidentifier():
                raise ConfigError(f"{key} must be arguments of the template, got {name!r}")
        return self

    @model_validator(mode="after")
    def _options_agree(self) -> Self:
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
        return self


Strip = Literal["comments", "globals", "prints"]


class ParsingConfig(Section, title="parsing"):
    """How proposals and answers are read from completions (AZR: parse_code_input_output).

    What needs Python's grammar (renaming, counting, stripping) runs inside the sandbox.
    """

    format: Literal["prefix", "strict", "exact"] = "strict"
    """How strictly the r1 envelope is read. prefix: anything may follow the first answer (AZR's
    get_format_reward); strict: the last answer is closed as well; exact: one thought, one answer,
    nothing else. Take exact for models that go on talking after the answer."""
    code_block: Literal["first", "last"] = "first"
    """Which block of code is a proposal's program. (AZR: code_location) Take last for models that
    draft before they write."""
    entry: Literal["f", "not_first", "not_last", "any_first", "any_last"] = "f"
    """The module-level function that is the entry. f: the one of that name; not_first, not_last:
    the first, or the last, is always renamed to f; any_first, any_last: f if there is one, else the
    first, or the last, is renamed. (AZR: f_replace_location, not_first) Take any_last for models
    that name their functions otherwise."""
    reject_multiple_functions: bool = False
    """Refuse proposals with more than one def, nested ones and methods included. (AZR: on, while
    its prompt welcomes them) Switch it on to repeat the authors' code."""
    reject_test_input: bool = False
    """Refuse programs that seem to contain their own test. (AZR: reject_test_input_in_code) Switch
    it on when proposals give their own input away."""
    strip: ListOf[Strip] = ()
    """What to remove from proposed programs: comments and docstrings, globals (all but imports,
    classes and functions at module level), calls of print. (AZR: remove_comments,
    remove_after_return, remove_print) Set comments when they give answers away; the paper found
    that it hurts."""
    seeding_strip: ListOf[Strip] = ()
    """The same while seeding. (AZR's seeding scripts: comments, globals) Set both to start as the
    authors did."""

    @property
    def reading(self) -> ParseRules:
        """What a reader of completions has to know."""
        return ParseRules(
            format=self.format,
            code_block=self.code_block,
            entry=self.entry,
            reject_test_input=self.reject_test_input,
        )


class BuffersConfig(Section, title="buffers"):
    """The tasks of the past."""

    max_tasks: Count = 16_384
    """How many of each mode's newest tasks can be drawn; all stay on disk. (AZR: max_programs)
    Lower it to forget easy early tasks sooner."""
    seed_tasks: Count = 256
    """Tasks per mode that the model makes itself before step 1. (AZR: 64 x 4) Lower it for a quick
    start; raise it when later tasks are all alike."""
    seed_file: HomePath = ""
    """JSON Lines of seed tasks to start from instead: what `azr seed` or `azr tasks` writes, or
    AZR's own seed files. Each is judged again before it enters. Set it for models too weak to make
    seeds, or to start several runs alike."""
    max_seed_rounds: Natural = 64
    """Rounds after which seeding ends with a warning, and the run continues with the tasks it has.
    Raise it for models whose programs are seldom valid."""
    store: Literal["all", "non_one", "non_extremes"] = "all"
    """Valid proposals that enter, by solve rate: all, non_one (below 1) or non_extremes (above 0 as
    well). (AZR: valid_program_filter) Take one of the others when the buffers fill with trivial
    tasks."""
    band: Annotated[tuple[Share, Share], Strict(strict=False)] = (0.0, 1.0)
    """Range of solve rates of the tasks that solvers get, of references, and of new tasks whose
    trials are learned from; [0, 1] is any. (R-Zero, Agent0: 0.3 to 0.8) Set it when most tasks are
    solved always or never."""
    rate_weight: Share = 0.0
    """How much one attempt moves a stored task's solve rate, as an exponential mean; 0 keeps the
    rate of its trials. Set it with `band`, say to 0.2, because the model changes."""
    recheck: Natural = 0
    """Stored tasks of each mode that run again in each step, in all sixteen images and with other
    entropy; tasks that give another output are removed (`gate/refuted`). (Survive or Collapse,
    arXiv 2605.22217) Set it, say to 8, to see the gate hold over a long run."""
    reference_sampling: Literal["uniform", "recency", "easy"] = "uniform"
    """How references of proposers are drawn: uniform; recency, by born step + 1 (AZR:
    gen_data_probabilities_strategy = step); easy, short and often solved ones first (ours). Try
    easy for small models; the paper found that recency may collapse."""

    @model_validator(mode="after")
    def _band_is_one(self) -> Self:
        low, high = self.band
        if low > high:
            raise ConfigError(f"buffers.band must be [low, high], got [{low}, {high}]")
        if (low, high) != (0.0, 1.0) and self.reference_sampling != "uniform":
            raise ConfigError(
                "buffers.reference_sampling must be uniform with buffers.band ="
                f" [{low}, {high}], got {self.reference_sampling!r}: one rule says what is shown"
            )
        return self


def rates_agree(selfplay: SelfPlayConfig, buffers: BuffersConfig, dedupe: str) -> None:
    """Refuse keys of two sections that contradict each other about solve rates.

    Raises:
        ConfigError: Some do.
    """
    if buffers.rate_weight and dedupe == "none":
        raise ConfigError(
            "buffers.rate_weight must be 0 with novelty.dedupe = none: it moves the rate of the one"
            " task that has this text"
        )
    if buffers.rate_weight and selfplay.update_iteration > 1:
        raise ConfigError(
            "buffers.rate_weight must be 0 with selfplay.update_iteration ="
            f" {selfplay.update_iteration}: the steps of a block share one draw"
        )
    if buffers.rate_weight and buffers.reference_sampling == "easy":
        raise ConfigError(
            "buffers.rate_weight must be 0 with buffers.reference_sampling = easy, which goes by"
            " the rate that a task was born with: it is not kept"
        )
    if buffers.recheck and selfplay.update_iteration > 1:
        raise ConfigError(
            "buffers.recheck must be 0 with selfplay.update_iteration ="
            f" {selfplay.update_iteration}: the steps of a block share one draw"
        )
    if buffers.band != (0.0, 1.0) and selfplay.solver_tasks == "step":
        raise ConfigError(
            "selfplay.solver_tasks must be another than step with buffers.band: one rule says what"
            " is drawn"
        )


def can_play_ahead(selfplay: SelfPlayConfig, buffers: BuffersConfig, staleness: int) -> None:
    """Refuse what a step cannot do that is played while earlier ones are learned from.

    It sees the buffers as they were `staleness` steps before, and that must be all that it needs.

    Raises:
        ConfigError: It needs more.
    """
    with_it = f"with rollout.max_staleness = {staleness}"
    for key, value in (("rate_weight", buffers.rate_weight), ("recheck", buffers.recheck)):
        if value:
            raise ConfigError(
                f"buffers.{key} must be 0 {with_it}, got {value}: it changes tasks that steps under"
                " way have seen"
            )
    proposes = selfplay.train_proposer or selfplay.propose_untrained
    if proposes and selfplay.same_step_tasks and selfplay.solver_tasks != "same_step":
        raise ConfigError(
            f"selfplay.same_step_tasks must be false {with_it} and selfplay.solver_tasks ="
            f" {selfplay.solver_tasks}: the step's own tasks are stored when it is learned from"
        )


class CurriculumConfig(Section, title="curriculum"):
    """Longer programs little by little: proposals over the limit are refused. Ours."""

    lines_from: Natural = 0
    """Most non-blank lines of a program before step 1; 0 is no limit, ever. Set it, say to 8, when
    a small model proposes more than it can solve."""
    lines_to: int = 40
    """The limit from step `curriculum.steps` on; in between it grows linearly. Set it to what the
    model should reach."""
    steps: Count = 100
    """Steps over which the limit grows. Set it to a part of the run's steps."""

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.lines_from == 1:
            raise ConfigError(
                "curriculum.lines_from must be at least 2, or 0, got 1: the zero task has two lines"
            )
        if self.lines_to < self.lines_from:
            raise ConfigError(
                f"curriculum.lines_to must be at least curriculum.lines_from = {self.lines_from},"
                f" got {self.lines_to}: it grows"
            )
        return self


FAMILIES = (
    "sorting and searching", "dynamic programming", "graphs and trees",
    "recursion and backtracking", "texts and patterns in them", "number theory and arithmetic",
    "simulation of a process or a machine", "greedy choices", "stacks, queues and heaps",
    "grids and matrices", "sets, mappings and counting", "bits and encodings",
)  # fmt: skip
"""Families of algorithms; ours."""


class GroundingConfig(Section, title="grounding"):
    """What the host asks proposers of programs to write about; docs/method/tasks.md."""

    category_share: Share = 0.0
    """Share of the proposals that are asked for a category, drawn for each; 0 is none. Set it, say
    to 0.5, when proposals become one kind."""
    categories: Annotated[ListOf[str], Field(min_length=1)] = FAMILIES
    """The categories, in words that end the sentence "Let the task be about: ...". Change them
    when the model shall learn something else."""
    file: HomePath = ""
    """JSON Lines of problems or documents, each line an object with a field `text`, that proposals
    are led by; it must stay as it is for a resumed run. Set it when you have texts of what the
    model shall learn."""
    file_share: Share = 0.5
    """Share of the proposals that are shown one of them. Lower it when proposals only copy."""


class AnchorsConfig(Section, title="anchors"):
    """Tasks of your own, mixed into what solvers are asked; docs/method/tasks.md."""

    file: HomePath = ""
    """JSON Lines of tasks with checks: `prompt`, and `ground_truth` in a form that the adapters
    read. Set it when you have tasks like those that the model shall solve."""
    share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of a step's answers that are to them. (R-Few, arXiv 2512.02472: 0.01 to 0.05) Raise it
    when the model drifts from what you need."""


def first_step(step: int) -> int:
    """Refuse a step that is neither never nor one of a run's; step 0 has nothing to build on."""
    if step != -1 and step < 1:
        raise ValueError(f"must be at least 1, or -1, got {step}")
    return step


class CompositeConfig(Section, title="composite"):
    """Proposals that must build on past programs, as functions g_0, g_1, ... (paper, D.2)."""

    start_step: Annotated[int, AfterValidator(first_step)] = -1
    """First step with composite proposals; -1 is never. (AZR: composite_start_step) Set it to try
    the paper's composite tasks (docs/method/tasks.md)."""
    chance: Share = 0.5
    """Share of the proposals that must build on functions. (paper: p = 0.5; AZR: composite_chance)
    Lower it when too few proposals are valid."""
    n_min: Annotated[Count, because("start_step = -1 switches them off")] = 1
    """Least number of functions. (paper: c uniform in 1 to 3) Raise it to make composition the
    rule."""
    n_max: Count = 3
    """Largest number of functions; fewer are taken if fewer can be drawn. Lower it for models that
    lose track of three."""
    schedule: bool = False
    """Let n_max grow by 1 up to 3 and chance by 0.01 up to 0.8, at step 151 and every 50 steps from
    there. (AZR: scheduler_step) Switch it on with n_max = 1 to begin gently."""
    min_own_operations: Natural = 0
    """Operations that f must do besides calling the functions. (AZR: 0) Set 1 when proposals are
    mere wrappers."""
    whole_references: bool = True
    """Show a composite reference with its functions; off shows f alone. Switch it off to shorten
    prompts."""

    @model_validator(mode="after")
    def _some_number_is_between(self) -> Self:
        if self.n_max < self.n_min:
            raise ConfigError(
                f"composite.n_max must be at least composite.n_min = {self.n_min}, got {self.n_max}"
            )
        return self
