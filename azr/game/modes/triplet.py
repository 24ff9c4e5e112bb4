"""What deduction, abduction and error mode share: a task is one program, one input, one output."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from azr.game.modes.examples import FORMAT_COMPOSITE, FORMAT_TRIPLETS, zero_triplet
from azr.game.modes.parse import (
    answer_body,
    boxed,
    fences,
    first_block,
    has_test_input,
    is_wrapped,
    labelled_lines,
    last_block,
    program_block,
    tagged,
    unwrapped,
    without_labelled_lines,
)
from azr.game.modes.rules import NUM_EXAMPLES, Pattern, PromptSetting, Rarity, returned_value
from azr.game.modes.wording import (
    BANNED_WORDS,
    CODE_DEMANDS,
    DIFFICULTY_IDEAS,
    STATE_DEMAND,
    ban,
    block,
    functions_to_build_on,
    given_functions,
    numbered_references,
)
from azr.types import Answer, Case, Mode, ParseFailure, Proposal, Rollout, Task
from sandbox_wasm.types import CallResult

__all__ = ["VALUE_TRIPLETS", "TripletRules", "example_pattern", "with_format_examples"]

VALUE_TRIPLETS = (Mode.DEDUCTION, Mode.ABDUCTION)
"""The modes whose tasks are the same triplets: a program, its input and the value it returns."""

GOAL = "## Task: design a new and unique Python program with one matching input"

STYLE_OF_GOAL = """\
The task should need deep algorithmic reasoning: think of it as one item of an IQ test for \
somebody else. Make it different from the reference programs below. You may define custom classes \
at the top of the code."""

INPUT_DEMANDS = """\
Demands on the input:
- Give exactly one test input: the arguments of `f`, separated by commas.
- Strings stand in quotes. Every argument is a plain Python literal."""

CRITERIA = f"""\
How the task is judged:
- Executable: {{executable}}
- Difficult: {{difficulty}} Ideas: {DIFFICULTY_IDEAS}.
- Creative: it is unlike the references in what it computes and in how."""

PLAN = """\
First plan: what makes the task hard, how it differs from the references, what is creative about \
it. Then write the code and the input."""

FORMAT = """\
Format: put the code into a fence tagged python and the input into a fence tagged input. For \
example:
```python
def f(name: str, info: dict):
    # the code goes here
    return result
```
```input
'John', {'age': 20, 'city': 'New York'}
```"""


def example_pattern(title: str, parts: Sequence[str], prefill: str, stop: str) -> Pattern:
    """Write numbered examples; the last one is left open where the model must continue.

    The title differs between modes, so that the policy can tell similar patterns apart.
    """
    text = "\n\n".join(f"{title} {i}:\n{part}" for i, part in enumerate(parts, start=1))
    return Pattern(text, prefill, (stop, f"\n{title}"))


def with_format_examples(
    references: Sequence[Task], examples: Sequence[Task], least: int
) -> list[Task]:
    """Put format examples before the references if there are fewer than `least`."""
    missing = max(min(least, len(examples)) - len(references), 0)
    return [*examples[:missing], *references]


class TripletRules:
    """Rules of the modes whose task is a triplet; subclasses say what is asked."""

    mode: Mode
    answer_part: Literal["input", "output"]
    """The part of the case that must be found; the other part is given."""
    goal: str
    """What a solver is told to find."""
    answer_format: str
    """How a solver is told to write it."""
    puzzle: str
    """What the other mind is given, and what it must find."""
    format_examples: Sequence[Task] = FORMAT_TRIPLETS
    """Shown in patterns while there are too few references."""
    title: str
    """Title of an example in a pattern."""
    executable = "the code runs with the input you give."
    """Criterion in the proposer's prompt: what running means."""
    difficulty: str
    """Criterion in the proposer's prompt: what must be hard."""

    verb = "="
    """The word between a call and its result, for people."""

    writes_program = True
    programs_from: Sequence[Mode] = ()
    seeds_for: tuple[Mode, ...]
    azr_kind = ""

    @property
    def zero_task(self) -> Task:
        """The identity triplet."""
        return zero_triplet(self.mode)

    def banned_statements(self, error_banned: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002
        """Return none."""
        return ()

    def num_inputs(self, induction_inputs: int) -> int:  # noqa: ARG002 - the protocol's
        """Return 1."""
        return 1

    def proposer_text(self, setting: PromptSetting) -> str:
        """Write the instruction: goal, demands, format, criteria, plan, references."""
        parts = [
            f"{GOAL}\n\n{self.puzzle} {STYLE_OF_GOAL}",
            "\n".join((f"{CODE_DEMANDS}\n{STATE_DEMAND}", *self.further_demands(setting))),
            INPUT_DEMANDS,
            FORMAT,
            "\n".join(
                (
                    CRITERIA.format(executable=self.executable, difficulty=self.difficulty),
                    *ban(setting.banned_words, ", not even in a comment"),
                )
            ),
            PLAN,
        ]
        if setting.references:
            shown = numbered_references(setting.references, self.result_of)
            parts.append(f"### References\n\n{shown}")
        parts.append(setting.theme and f"### Theme\n\n{setting.theme}")
        parts.append(functions_to_build_on(setting.demands.functions))
        return "\n\n".join(filter(None, parts))

    def further_demands(self, setting: PromptSetting) -> Sequence[str]:  # noqa: ARG002 - of subclasses
        """Return further demands of this mode on the code, one per line."""
        return ()

    def result_of(self, task: Task) -> str:
        """Write the block that shows the result of a reference's call."""
        return block("output", self.shown_output(task))

    def shown_output(self, task: Task) -> str:
        """Return the case's output as prompts and people write it."""
        return task.cases[0].output

    def proposer_pattern(self, setting: PromptSetting) -> Pattern:
        """Write input, then program, because small models end a text after a program.

        The output is not shown, because nobody asks the proposer for it.
        """
        tasks = with_format_examples(setting.references, self.format_examples, setting.num_examples)
        functions = setting.demands.functions
        if functions:
            tasks = [FORMAT_COMPOSITE, *tasks]
        shown = [_proposed(task) for task in tasks]
        opening = (setting.theme and f"{setting.theme}\n") + given_functions(functions)
        return example_pattern(self.title, [*shown, opening], "```python\n# Input:", "\n```")

    def read_proposal(self, rollout: Rollout) -> Proposal | ParseFailure:
        """Read the first input, and the program that the prompt's reading names."""
        body, reading = answer_body(rollout), rollout.prompt.reading
        if isinstance(body, ParseFailure):
            return body
        blocks = fences(body)
        program = program_block(blocks, reading)
        if isinstance(program, ParseFailure):
            return program
        given = first_block(blocks, ("input",))
        if given is None:
            given = next(iter(labelled_lines(body, "Input")), None)
            program = without_labelled_lines(program, "Input")
        if given is None:
            return ParseFailure("no input block")
        if reading.reject_test_input and has_test_input(program, given):
            return ParseFailure("test in the program")
        return Proposal(self.mode, program, (unwrapped(given),), demands=rollout.prompt.demands)

    def objection_to(self, proposal: Proposal) -> str:  # noqa: ARG002 - the protocol's
        """Object to nothing: every program that runs is a task."""
        return ""

    def task_of(self, proposal: Proposal, outputs: Sequence[str], born_step: int) -> Task:
        """Make a task with one case."""
        case = Case(proposal.inputs[0], outputs[0])
        return Task(
            mode=self.mode,
            program=proposal.whole_program,
            cases=(case,),
            born_step=born_step,
            functions=proposal.demands.functions,
        )

    def solver_text(
        self,
        task: Task,
        banned_words: Sequence[str] = BANNED_WORDS,  # noqa: ARG002 - the protocol's
    ) -> str:
        """Write goal, program, the given part of the case, and format."""
        given = block(self._given_part, part_of(task, self._given_part))
        return "\n\n".join(
            (self.goal, f"{block('python', task.program)}\n{given}", self.answer_format)
        )

    def solver_pattern(
        self, task: Task, references: Sequence[Task], num_examples: int = NUM_EXAMPLES
    ) -> Pattern:
        """Write program, the given part of the case, and the part to find."""
        wanted = f"# {self.answer_part.title()}:"
        tasks = with_format_examples(references, self.format_examples, num_examples)
        shown = [f"{self._opening(one)}{wanted} {self.answer_of(one)}" for one in tasks]
        return example_pattern(self.title, [*shown, self._opening(task)], wanted, "\n")

    def answer_of(self, task: Task) -> str:
        """Return the answer as an example shows it."""
        return task.cases[0].input if self.answer_part == "input" else self.shown_output(task)

    def output_of(self, result: CallResult) -> str | None:
        """Return the call's value."""
        return returned_value(result)

    def rarities(self, task: Task) -> Sequence[Rarity]:
        """Return the answer alone: the more often it was one, the easier it is to guess."""
        part = "inputs" if self.answer_part == "input" else "outputs"
        return (Rarity("answer_diversity", part, (part_of(task, self.answer_part),)),)

    def question_of(self, task: Task, sought: str) -> str:
        """`f([1, 2]) = ?`, or `f(?) = 3`."""
        case = task.cases[0]
        if self.answer_part == "input":
            return f"f({sought}) {self.verb} {case.output}"
        return f"f({case.input}) {self.verb} {sought}"

    def solution_of(self, task: Task) -> str:
        """Return the answer."""
        return self.answer_of(task)

    def azr_record(self, task: Task) -> Mapping[str, Any]:
        """Return the record of AZR's triplets."""
        return {
            "snippet": task.program,
            "input": task.cases[0].input,
            "output": self.shown_output(task),
            "original_snippet": task.own_program,
            "composite_functions": list(task.functions),
        }

    @property
    def _given_part(self) -> str:
        return "output" if self.answer_part == "input" else "input"

    def _opening(self, task: Task) -> str:
        """A puzzle of a pattern, up to what is to be found."""
        given = f"# {self._given_part.title()}: {part_of(task, self._given_part)}"
        return f"{block('python', task.program)}\n{given}\n"

    def read_answer(self, rollout: Rollout) -> Answer | ParseFailure:
        """Read the last block with the part's name, or what models write instead."""
        tag = self.answer_part
        body = answer_body(rollout)
        if isinstance(body, ParseFailure):
            return body
        found = last_block(fences(body), (tag,))
        line = next(reversed(labelled_lines(body, tag)), None)
        for fallback in (line, tagged(body, tag), boxed(body)):
            found = fallback if found is None else found
        if found is None and is_wrapped(rollout):  # nothing else can stand there
            found = last_block(fences(body), ("", "python")) or body
        if not found or not found.strip():
            return ParseFailure(f"no {tag} block")
        return Answer(self.mode, unwrapped(found))


def part_of(task: Task, name: str) -> str:
    """Return the task's input or output."""
    case = task.cases[0]
    return case.input if name == "input" else case.output


def _proposed(task: Task) -> str:
    """A task of a pattern, as a proposer writes it."""
    written = f"# Input: {task.cases[0].input}\n{task.own_program}"
    return given_functions(task.functions) + block("python", written)
