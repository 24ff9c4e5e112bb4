"""Induction: given cases and a message, write a program that also explains the hidden cases."""

from collections.abc import Mapping, Sequence
from typing import Any

from azr.game.modes.examples import FORMAT_INDUCTIONS, zero_induction
from azr.game.modes.parse import (
    PROGRAM_TAGS,
    Fence,
    answer_body,
    calls,
    fences,
    first_block,
    labelled_lines,
    last_block,
    tagged,
    unwrapped,
)
from azr.game.modes.rules import NUM_EXAMPLES, Pattern, PromptSetting, Rarity, returned_value
from azr.game.modes.triplet import VALUE_TRIPLETS, example_pattern, with_format_examples
from azr.game.modes.wording import BANNED_WORDS, CODE_DEMANDS, ban, block
from azr.types import Answer, Case, Check, Mode, ParseFailure, Proposal, Rollout, Task
from sandbox_wasm.types import CallResult

__all__ = ["INDUCTION", "Induction", "hidden_cases", "shown_cases"]

TITLE = "Program puzzle"
"""Title of an example in a pattern."""

PROPOSER_GOAL = """\
## Task: invent {n} inputs and a message for a Python program

Some of the inputs, their outputs and your message will be given to somebody else, who must work \
out what the program does and write it. Choose inputs with diverse outputs."""

PROPOSER_DEMANDS = """\
Demands:
- Give exactly {n} inputs, all different. Each is the arguments of `f`, separated by commas; \
strings stand in quotes; every argument is a plain Python literal.
- The message may be a hint, a description or a coding question. It must not contain the program.

Format: each input in its own fence tagged input, then the message in a fence tagged message. For \
example:
```input
'John', {'age': 20, 'city': 'New York'}
```
```input
'Sammy', {'age': 37, 'city': 'Los Angeles'}
```
```message
What can be said about this person?
```

How the task is judged:
- Executable: the program runs with every input.
- Coverage: together the inputs show everything the program does, so that it can be deduced.
- Challenging, but not impossible.

First plan which inputs to choose and why. Then write the inputs and the message."""

SOLVER_GOAL = """\
## Task: find the program behind these inputs and outputs

Write a general Python function `f` that gives the outputs below and is right for further, hidden \
inputs as well. Check your code against every pair and revise it."""

SOLVER_FORMAT = """\
Put the final code into a fence tagged python. The entry point must be called `f`. For example:
```python
def f(a):
    return a
```"""


def shown_cases(task: Task) -> tuple[Case, ...]:
    """Return the first half, rounded down, which the solver sees."""
    return task.cases[: len(task.cases) // 2]


def hidden_cases(task: Task) -> tuple[Case, ...]:
    """Return the other half, on which the answer is graded and which no prompt may show."""
    return task.cases[len(task.cases) // 2 :]


class Induction:
    """The proposer gets a program. The answer is a program, graded on the hidden cases."""

    mode = Mode.INDUCTION
    writes_program = False
    programs_from = VALUE_TRIPLETS
    seeds_for = (Mode.INDUCTION,)
    azr_kind = "_code_f"

    @property
    def zero_task(self) -> Task:
        """The identity function with six cases."""
        return zero_induction()

    def banned_statements(self, error_banned: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002
        """Return none: the program exists already."""
        return ()

    def num_inputs(self, induction_inputs: int) -> int:
        """Return the configured number."""
        return induction_inputs

    def proposer_text(self, setting: PromptSetting) -> str:
        """Write the instruction: program, demands, format, criteria, plan."""
        assert setting.shown is not None, "an induction proposer is shown a program"
        program = f"{setting.shown.program}\n\nf(<your input goes here>)"
        n = str(setting.num_inputs)
        before, after = PROPOSER_GOAL.replace("{n}", n), PROPOSER_DEMANDS.replace("{n}", n)
        return "\n\n".join((before, block("python", program), after))

    def solver_text(self, task: Task, banned_words: Sequence[str] = BANNED_WORDS) -> str:
        """Write the shown cases and the message; never the program or a hidden case."""
        cases = "\n\n".join(
            f"{block(f'input_{i}', case.input)}\n{block(f'output_{i}', case.output)}"
            for i, case in enumerate(shown_cases(task), start=1)
        )
        message = [block("message", task.message)] if task.message else []
        demands = "\n".join((CODE_DEMANDS, *ban(banned_words)))
        return "\n\n".join((SOLVER_GOAL, cases, *message, demands, SOLVER_FORMAT))

    def proposer_pattern(self, setting: PromptSetting) -> Pattern:
        """Write program, calls and message in one block of code, which small models continue."""
        assert setting.shown is not None, "an induction proposer is shown a program"
        shown = [
            block(
                "python",
                "\n".join(
                    (
                        f"{t.program}\n",
                        ", ".join(f"f({c.input})" for c in t.cases[: setting.num_inputs]),
                        *_comment("Message: ", t.message),
                    )
                ),
            )
            for t in with_format_examples(
                setting.references, FORMAT_INDUCTIONS, setting.num_examples
            )
        ]
        opening = f"```python\n{setting.shown.program}\n\n"
        return example_pattern(TITLE, [*shown, opening], "f(", "\n```")

    def solver_pattern(
        self, task: Task, references: Sequence[Task], num_examples: int = NUM_EXAMPLES
    ) -> Pattern:
        """Write message, shown cases, program."""
        shown = [
            f"{_opening(t, len(task.cases))}{block('python', t.program)}"
            for t in with_format_examples(references, FORMAT_INDUCTIONS, num_examples)
        ]
        opening = _opening(task, len(task.cases))
        return example_pattern(TITLE, [*shown, opening], "```python\ndef f(", "\n```")

    def read_proposal(self, rollout: Rollout) -> Proposal | ParseFailure:
        """Read the last inputs, as many as were asked for, without repetitions, and the message.

        A pattern ends with the message, and small models tend to end a text early. In a pattern the
        cases alone are therefore a task, if a harder one.
        """
        shown, wanted = rollout.prompt.task, rollout.prompt.num_inputs
        body = answer_body(rollout)
        if isinstance(body, ParseFailure):
            return body
        if shown is None:
            return ParseFailure("no program was shown")
        blocks = fences(body)
        message = _message(body, blocks)
        if not message and rollout.prompt.envelope != "completion":
            return ParseFailure("no message block")
        # Dropping repetitions here keeps a hidden case from being one that is shown as well.
        inputs = list(dict.fromkeys(filter(None, _input_texts(body, blocks))))
        if len(inputs) < wanted:
            return ParseFailure("too few inputs")
        return Proposal(self.mode, shown.program, tuple(inputs[-wanted:]), message or "")

    def read_answer(self, rollout: Rollout) -> Answer | ParseFailure:
        """Read the last block of code."""
        body = answer_body(rollout)
        if isinstance(body, ParseFailure):
            return body
        program = last_block(fences(body), PROGRAM_TAGS)
        if not program or not program.strip():
            return ParseFailure("no program block")
        return Answer(self.mode, program)

    def objection_to(self, proposal: Proposal) -> str:
        """Refuse repeated cases, and a message that gives the program away."""
        if len(set(proposal.inputs)) < len(proposal.inputs):
            return "inputs repeat"
        if _squeezed(proposal.program) in _squeezed(proposal.message):
            return "message holds the program"
        return ""

    def task_of(self, proposal: Proposal, outputs: Sequence[str], born_step: int) -> Task:
        """Make a task of all cases; their order says which of them are shown."""
        return Task(
            mode=self.mode,
            program=proposal.program,
            cases=tuple(map(Case, proposal.inputs, outputs)),
            message=proposal.message,
            born_step=born_step,
        )

    def check_of(self, task: Task, answer: Answer) -> Check:
        """Run the answer on the hidden inputs."""
        hidden = hidden_cases(task)
        return Check(
            program=answer.content,
            calls=tuple(case.input for case in hidden),
            expected=tuple(case.output for case in hidden),
        )

    def output_of(self, result: CallResult) -> str | None:
        """Return the call's value."""
        return returned_value(result)

    def answer_of(self, task: Task) -> str:
        """Return the program that the proposer was shown; others may be right, too."""
        return task.program

    def rarities(self, task: Task) -> Sequence[Rarity]:
        """Return the cases: the proposer's own part of the task."""
        return (
            Rarity("input_diversity", "inputs", [case.input for case in task.cases]),
            Rarity("output_diversity", "outputs", [case.output for case in task.cases]),
        )

    def question_of(self, task: Task, sought: str) -> str:  # noqa: ARG002 - a program is sought
        """Return the cases that a solver sees."""
        return _equations(shown_cases(task))

    def solution_of(self, task: Task) -> str:
        """Say what a right program must do."""
        return _equations(hidden_cases(task))

    def azr_record(self, task: Task) -> Mapping[str, Any]:
        """Return the record of AZR's induction tasks."""
        return {
            "snippet": task.program,
            "inputs": [case.input for case in task.cases],
            "outputs": [case.output for case in task.cases],
            "message": task.message,
        }


def _equations(cases: Sequence[Case]) -> str:
    """`f(1) = 2`, one a line."""
    return "\n".join(f"f({case.input}) = {case.output}" for case in cases)


def _opening(task: Task, num_cases: int) -> str:
    """A puzzle of a pattern, up to the program; examples get no more cases than the task."""
    cases = shown_cases(task)[: num_cases // 2]
    lines = (*_comment("", task.message), *(f"# f({c.input}) == {c.output}" for c in cases))
    return "".join(f"{line}\n" for line in lines)


def _comment(label: str, text: str) -> list[str]:
    """One line, or none where there is nothing to say."""
    return [f"# {label}{' '.join(text.split())}"] if text.strip() else []


def _message(body: str, blocks: Sequence[Fence]) -> str | None:
    found = first_block(blocks, ("message",))
    line = next(iter(labelled_lines(body, "Message")), None)
    for fallback in (tagged(body, "message"), line):
        found = fallback if found is None else found
    return found.strip() if found is not None else None


def _input_texts(body: str, blocks: Sequence[Fence]) -> list[str]:
    """One input a fence; where there are none, one a labelled line or call."""
    fenced = [fence.body for fence in blocks if fence.tag == "input"]
    texts = fenced or labelled_lines(body, "Input") or calls(body)
    return [unwrapped(text) for text in texts]


def _squeezed(text: str) -> str:
    return "".join(text.split())


INDUCTION = Induction()
