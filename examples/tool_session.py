"""A tool with memory for RL: each rollout has an interpreter, and a search forks it.

    .venv/bin/python examples/tool_session.py

`PythonEnvironment` is what TRL's trainers take: `GRPOTrainer(environment_factory=lambda:
PythonEnvironment(executor), ...)`; its public methods are the model's tools. The same few lines
make a tool of verl (`create`, `execute`, `release` of a BaseTool) or of any other agent.
"""

from sandbox_wasm import Limits, Sandbox, SandboxClient, Session, TurnResult

LIMITS = Limits(seconds=10)
MOST_CHARS = 2000


def told(turn: TurnResult) -> str:
    """Return what a model reads of a turn."""
    shown = "" if turn.value is None else f"{turn.value}\n"
    ended = "" if turn.is_kept else f"stopped: {turn.error or turn.outcome}\n"
    text = turn.stdout + shown + turn.stderr + (turn.traceback or "") + ended
    return text[:MOST_CHARS] or "(no output)"


class PythonEnvironment:
    """One rollout's interpreter."""

    def __init__(self, executor: Sandbox | SandboxClient) -> None:
        self._executor = executor
        self._session: Session = executor.session()

    def reset(self, **_: object) -> None:
        """Begin an episode with a fresh interpreter."""
        self._session.close()
        self._session = self._executor.session()

    def run_python(self, code: str) -> str:
        """Run Python code. Variables and files of /tmp live on; end with an expression to see it.

        Args:
            code: Python source.

        Returns:
            What it printed, the last value, or the traceback.
        """
        return told(self._session.run(code, limits=LIMITS))


def search(session: Session, candidates: list[str]) -> str:
    """Try each candidate from the same state; keep the one that makes `score()` largest."""

    def score_of(candidate: str) -> float:
        with session.fork() as branch:
            branch.run(candidate, limits=LIMITS)
            turn = branch.run("score()", limits=LIMITS)
        return float(turn.value) if turn.value is not None else float("-inf")

    return max(candidates, key=score_of)


def main() -> None:
    """Play an episode, then a step of a search."""
    with Sandbox(workers=1, images=1) as sandbox:
        environment = PythonEnvironment(sandbox)
        for code in (
            "xs = [3, 1, 2]",
            "xs.sort(); xs",
            "xs[5]",
            "while True: xs.append(0)",
            "len(xs)",
        ):
            print(f">>> {code}\n{environment.run_python(code).rstrip()}")
        session = sandbox.session()
        session.run("x = 3\ndef score(): return -abs(x - 42)")
        best = search(session, ["x += 1", "x *= 13", "x = 1 / 0", "del x"])
        print(f"best step: {best}, and x is still {session.run('x').value}")


if __name__ == "__main__":
    main()
