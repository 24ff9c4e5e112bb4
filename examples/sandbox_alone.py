"""The sandbox alone: run programs, see what became of them, then do the same through a server.

    .venv/bin/python examples/sandbox_alone.py

Needs no torch and no model. The first start builds the guest's image (a minute, once).
"""

from collections.abc import Sequence

from sandbox_wasm import Job, JobResult, Limits, Sandbox
from sandbox_wasm.client.local_server import LocalServer

JOBS = [
    Job("double", "def f(x): return x * 2", calls=["21", "'ab'"]),
    Job("raises", "def f(x): return 1 / x", calls=["0"]),
    Job("endless", "def f(x):\n    while True: pass", calls=["0"], limits=Limits(fuel=10**8)),
    Job("coin", "import random\ndef f(x): return random.random()", calls=["0"], images=2),
    Job("reader", "def f(x): return open('/etc/passwd').read()", calls=["0"]),
    Job("program", "print(int(input()) + 1)", stdin="41\n", want_stdout=True),
]


def show(title: str, results: Sequence[JobResult]) -> None:
    """Print one line a call: what happened, and the value or the reason."""
    print(title)
    for result in results:
        for call in result.calls:
            said = (call.stdout or "").strip() or call.value or call.error
            note = "" if result.deterministic else "  (differs from image to image)"
            print(f"  {result.id:8} {call.outcome.value:12} {said}{note}")


def main() -> None:
    """Run the same jobs in this process, and through a server."""
    with Sandbox(workers=1) as sandbox:
        show("in this process", sandbox.run(JOBS))
    with LocalServer(1) as server, server.client() as client:
        show("through a server (ZeroMQ, msgpack)", client.run(JOBS))


if __name__ == "__main__":
    main()
