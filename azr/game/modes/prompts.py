"""The prompts: the words of a mode, in the envelope of the run, within its token budget.

A prompt is a function of (task or mode, buffer contents, seed). If it is too long, it is drawn
again, with fewer references each time. The number of draws is bounded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from azr.config.run import CompositeConfig, ParsingConfig, RolloutConfig, SelfPlayConfig
from azr.errors import ConfigError
from azr.game.modes import Pattern, PromptSetting, rules_of
from azr.game.modes.wording import BANNED_WORDS
from azr.ports import Past
from azr.seeds import derive_seed
from azr.types import Demands, Mode, Prompt, Role, Task, stream_name

__all__ = ["ENVELOPES", "Envelope", "Prompts"]

REDRAWS = 4
"""Tasks tried instead of one that does not fit; seed files and old runs may hold longer ones."""

R1_PREAMBLE = (
    "A conversation between User and Assistant. The User asks, the Assistant answers. The Assistant"
    " first reasons in its mind and then gives the User the answer. The reasoning stands between"
    " <think> and </think>, the answer between <answer> and </answer>, like this: <think> the"
    " reasoning </think> <answer> the answer </answer>."
)


BOXED_DEMAND = "Reason step by step and put the final answer, fences included, into \\boxed{}."


PROGRAM_DEMAND = "Put the whole program into a fence tagged python."


@dataclass(frozen=True, slots=True)
class Envelope:
    """How an instruction is put to the model."""

    before: str
    after: str
    chat_before: str
    """The same if the model's own chat template marks who speaks."""
    chat_after: str
    prefill: str


ENVELOPES = {
    "r1": Envelope(
        before=f"{R1_PREAMBLE}\nUser: ",
        after="\nAssistant: ",
        chat_before=f"{R1_PREAMBLE}\n\n",
        chat_after="",
        prefill="<think>",
    ),
    "boxed": Envelope(
        before="",
        after=f"\n\n{BOXED_DEMAND}\n",
        chat_before="",
        chat_after=f"\n\n{BOXED_DEMAND}",
        prefill="",
    ),
    "none": Envelope(before="", after="\n", chat_before="", chat_after="", prefill=""),
}
"""The fourth envelope, completion, has no instruction to wrap: the modes write its patterns."""


class Prompts:
    """Writes the prompts of a run."""

    def __init__(
        self,
        config: SelfPlayConfig,
        rollout: RolloutConfig,
        count_tokens: Callable[[str], int],
        parsing: ParsingConfig | None = None,
        composite: CompositeConfig | None = None,
        banned_words: Sequence[str] | None = None,
    ) -> None:
        """`banned_words` are sandbox.banned_modules; None stands for AZR's list."""
        self._config = config
        self._composite = composite or CompositeConfig()
        self._banned_words = BANNED_WORDS if banned_words is None else tuple(banned_words)
        self._max_tokens = rollout.max_prompt_tokens
        self._temperatures = rollout.temperatures
        self._count_tokens = count_tokens
        self._reading = (parsing or ParsingConfig()).reading

    def proposer(
        self,
        mode: Mode,
        buffers: Past,
        seed: int,
        functions: tuple[str, ...] = (),
        theme: str = "",
    ) -> Prompt:
        """Ask for a new task.

        Args:
            mode: The task's mode.
            buffers: Where references are drawn from.
            seed: Seed of the draws and of the rollout.
            functions: Sources of g_0, g_1, ... to build on. They are left out if not even a prompt
                without references has room for them; `prompt.demands` says what was asked.
            theme: What the program is to be about; left out likewise, and where the mode's
                proposer writes none.

        Raises:
            ConfigError: Not even a prompt without references fits rollout.max_prompt_tokens.
        """
        rules = rules_of(mode)
        for attempt in range(2 * self._config.references + 1):
            num_references = self._config.references - (attempt + 1) // 2
            drawn = derive_seed(seed, "proposer", attempt)
            shown = buffers.program(rules.programs_from, drawn) if rules.programs_from else None
            references = buffers.references(mode, num_references, derive_seed(drawn, "references"))
            demands = self._demands(mode, functions)
            prompt = self._propose(mode, references, shown, seed, demands, theme)
            if self._is_short(prompt):
                return prompt
        # Last of all the program every run starts from, which is as short as a program gets.
        shown = None if rules.writes_program else rules.zero_task
        prompt = self._propose(mode, [], shown, seed, self._demands(mode, ()))
        if self._is_short(prompt):
            return prompt
        raise ConfigError(
            f"rollout.max_prompt_tokens must hold a {mode} proposer's prompt without references,"
            f" got {self._max_tokens}: it has {self._tokens(prompt)} tokens"
        )

    def solver(self, task: Task, buffers: Past, seed: int) -> Prompt:
        """Ask to solve a task; `prompt.task` is the one that was asked.

        If `task` does not fit the budget, another one from the buffers is asked. This never happens
        to tasks of this run, which are admitted only if they fit (`fits`).

        Raises:
            ConfigError: None of several tasks fits rollout.max_prompt_tokens.
        """
        asked = task
        for attempt in range(REDRAWS):
            for num_references in range(self._num_shots, -1, -1):
                references = self._solved(asked, buffers, num_references)
                prompt = self._solve(asked, references, seed)
                if self._is_short(prompt):
                    return prompt
            asked = buffers.draw(task.mode, derive_seed(seed, "other task", attempt))
        asked = rules_of(task.mode).zero_task
        prompt = self._solve(asked, [], seed)
        if self._is_short(prompt):
            return prompt
        raise ConfigError(
            f"rollout.max_prompt_tokens must hold a {task.mode} solver's prompt,"
            f" got {self._max_tokens}: the shortest has {self._tokens(prompt)} tokens"
        )

    def anchor(self, statement: str, seed: int) -> Prompt:
        """Ask for the program that a task of the user's own wants.

        Raises:
            ConfigError: It does not fit rollout.max_prompt_tokens.
        """
        wrapped = (
            Pattern(f"{statement}\n\n", "```python\n", ("\n```",))
            if self._is_pattern
            else self._wrapped(f"{statement}\n\n{PROGRAM_DEMAND}")
        )
        prompt = self._prompt(
            Role.SOLVER, Mode.INDUCTION, wrapped, task=None, seed=seed, num_inputs=1
        )
        if self._is_short(prompt):
            return prompt
        raise ConfigError(
            f"it must fit rollout.max_prompt_tokens, got {self._max_tokens}: it has"
            f" {self._tokens(prompt)} tokens"
        )

    def fits(self, task: Task) -> bool:
        """Tell whether a solver can be asked this task, if need be without references."""
        return self._is_short(self._solve(task, [], 0))

    @property
    def _num_shots(self) -> int:
        """Solved tasks a solver is shown: only a pattern needs them."""
        return self._config.references if self._is_pattern else 0

    @property
    def _is_pattern(self) -> bool:
        return self._config.envelope == "completion"

    def _solved(self, task: Task, buffers: Past, n: int) -> list[Task]:
        """References for a solver: none with the task's own program, which would tell.

        They depend on the task and not on the seed: all trials of a task share their prompt,
        which the engine's prefix cache then computes once.
        """
        if n == 0:
            return []
        seed = derive_seed("solver", task.program, task.message, task.cases[0].input)
        drawn = buffers.references(task.mode, n + 1, seed)
        return [other for other in drawn if other.program != task.program][:n]

    def _demands(self, mode: Mode, functions: tuple[str, ...]) -> Demands:
        return Demands(
            functions=functions,
            min_own_operations=self._composite.min_own_operations if functions else 0,
            banned_statements=rules_of(mode).banned_statements(self._config.error_banned),
        )

    def _propose(
        self,
        mode: Mode,
        references: list[Task],
        shown: Task | None,
        seed: int,
        demands: Demands,
        theme: str = "",
    ) -> Prompt:
        rules = rules_of(mode)
        if shown is not None:
            references = [other for other in references if other.program != shown.program]
        if not self._composite.whole_references:
            references = [replace(t, program=t.own_program, functions=()) for t in references]
        num_inputs = rules.num_inputs(self._config.induction_inputs)
        setting = PromptSetting(
            references=references,
            shown=shown,
            num_inputs=num_inputs,
            num_examples=self._config.pattern_examples,
            demands=demands,
            banned_words=self._banned_words,
            theme=theme if rules.writes_program else "",
        )
        wrapped = (
            rules.proposer_pattern(setting)
            if self._is_pattern
            else self._wrapped(rules.proposer_text(setting))
        )
        prompt = self._prompt(
            Role.PROPOSER, mode, wrapped, task=shown, seed=seed, num_inputs=num_inputs
        )
        return replace(prompt, demands=demands, references=tuple(references))

    def _solve(self, task: Task, references: list[Task], seed: int) -> Prompt:
        rules = rules_of(task.mode)
        wrapped = (
            rules.solver_pattern(task, references, self._config.pattern_examples)
            if self._is_pattern
            else self._wrapped(rules.solver_text(task, self._banned_words))
        )
        return self._prompt(Role.SOLVER, task.mode, wrapped, task=task, seed=seed, num_inputs=1)

    def _wrapped(self, instruction: str) -> Pattern:
        envelope = ENVELOPES[self._config.envelope]
        before, after = envelope.before, envelope.after
        if self._config.chat_template:
            before, after = envelope.chat_before, envelope.chat_after
        return Pattern(f"{before}{instruction}{after}", envelope.prefill, ())

    def _prompt(
        self,
        role: Role,
        mode: Mode,
        wrapped: Pattern,
        *,
        task: Task | None,
        seed: int,
        num_inputs: int,
    ) -> Prompt:
        return Prompt(
            role=role,
            mode=mode,
            text=wrapped.text,
            prefill=wrapped.prefill,
            stop=wrapped.stop,
            chat=self._config.chat_template,
            envelope=self._config.envelope,
            reading=self._reading,
            num_inputs=num_inputs,
            task=task,
            seed=derive_seed(seed, role, mode),
            temperature=self._temperatures.get(stream_name((role, mode))),
        )

    def _tokens(self, prompt: Prompt) -> int:
        return self._count_tokens(prompt.text + prompt.prefill)

    def _is_short(self, prompt: Prompt) -> bool:
        return self._tokens(prompt) <= self._max_tokens
