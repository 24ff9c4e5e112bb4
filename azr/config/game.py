"""The game: which modes, how texts are read, which tasks are kept, how long programs may get.

The sections [selfplay], [parsing], [buffers] and [curriculum] of azr.config.run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from azr.config.checks import at_least, home, one_of
from azr.errors import ConfigError
from azr.types import Mode, Reading

__all__ = [
    "CompositeConfig",
]


OWN_ARGUMENTS = frozenset({
    "add_generation_prompt", "chat_template", "continue_final_message", "conversation", "documents",
    "max_length", "messages", "padding", "return_assistant_tokens_mask", "return_dict",
    "return_tensors", "tokenize", "tokenizer_kwargs", "tools", "truncation",
})  # fmt: skip
"""What azr, or transformers itself, says to a chat template."""

__all__ = ["BuffersConfig", "CurriculumConfig", "ParsingConfig", "SelfPlayConfig"]


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
    chat_template_kwargs: Mapping[str, str | int | float | bool] = field(
        default_factory=dict[str, str | int | float | bool]
    )
    """Arguments of the chat template, a table: `[selfplay.chat_template_kwargs]` with
    `enable_thinking = false`, on the command line as JSON. (vLLM, TRL: the same name)"""
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
        object.__setattr__(self, "chat_template_kwargs", dict(self.chat_template_kwargs))
        self._check_template()
        self._check_combinations()
        self._check_ranges()

    def _check_template(self) -> None:
        key = "selfplay.chat_template_kwargs"
        if self.chat_template_kwargs and not self.chat_template:
            raise ConfigError(f"{key} must be left out with selfplay.chat_template = false")
        for name, value in self.chat_template_kwargs.items():
            if name in OWN_ARGUMENTS or not name.isidentifier():
                raise ConfigError(f"{key} must be arguments of the template, got {name!r}")
            if type(value) not in (str, int, float, bool):
                raise ConfigError(f"{key}.{name} must be a text, a number, true or false")

    def _check_combinations(self) -> None:
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

    def _check_ranges(self) -> None:
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
        object.__setattr__(self, "seed_file", home("buffers.seed_file", self.seed_file))
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
class CompositeConfig:
    """Proposals that must build on past programs, as functions g_0, g_1, ... (paper, D.2)."""

    start_step: int = -1
    """First step with such proposals; -1 = never. (AZR: composite_start_step)"""
    chance: float = 0.5
    """Share of the proposals asked for it. (paper: p = 0.5; AZR: composite_chance)"""
    n_min: int = 1
    """Fewest functions. (paper: c uniform in 1 to 3)"""
    n_max: int = 3
    """Most functions; as many as that are usable where fewer can be drawn."""
    schedule: bool = False
    """Let n_max and chance grow during the run. (AZR: scheduler_step)"""
    schedule_start: int = 101
    """Step from which growth is counted."""
    schedule_every: int = 50
    """Steps between two increments: the first is at schedule_start + schedule_every."""
    schedule_n_max: int = 3
    """n_max grows by 1 up to this."""
    schedule_chance_gain: float = 0.01
    """chance grows by this."""
    schedule_chance_max: float = 0.8
    """Up to this."""
    min_own_operations: int = 0
    """Operations f must do beside calling the functions; 1 refuses mere wrappers. (AZR: 0)"""
    whole_references: bool = True
    """Show a composite reference with its functions; off = f alone."""

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in ("chance", "schedule_chance_gain", "schedule_chance_max"):
            self._check(name, 0.0 <= getattr(self, name) <= 1.0, "in [0, 1]")
        # step 0 is seeding, which starts from nothing to build on
        self._check(
            "start_step", self.start_step == -1 or self.start_step >= 1, "at least 1, or -1"
        )
        self._check("n_min", self.n_min >= 1, "at least 1 (start_step = -1 switches them off)")
        self._check("n_max", self.n_max >= self.n_min, f"at least n_min, {self.n_min}")
        self._check("schedule_every", self.schedule_every >= 1, "at least 1")
        self._check("min_own_operations", self.min_own_operations >= 0, "at least 0")
        if self.schedule:  # it only ever raises
            n_max, chance = self.n_max, self.chance
            self._check("schedule_n_max", self.schedule_n_max >= n_max, f"at least n_max, {n_max}")
            is_above = self.schedule_chance_max >= chance
            self._check("schedule_chance_max", is_above, f"at least chance, {chance}")

    def _check(self, name: str, is_right: bool, allowed: str) -> None:
        if not is_right:
            raise ConfigError(f"composite.{name} must be {allowed}, got {getattr(self, name)}")
