"""`azr train` with a model whose every completion is an attack: its tokens are its own, the text is
written by an attacker. Everything else is real: server, judge, buffers, updates, checkpoints.

    python -m tests.hostile_run train CONFIG [--resume]
"""

import itertools
import sys
from dataclasses import replace

from azr.cli.main import program
from azr.rollout.requests import Sampled
from azr.rollout.transformers_engine import TransformersEngine
from tests.hostile import bombs, escapes, forgeries, resources, spoofs

_HASH_MODULUS = 2**61 - 1

READS_THE_ZIP = """
def f(x):
    room = bytearray(13_000_000)
    file = open('/usr/local/lib/python315.zip', 'rb', buffering=0)
    while True:
        file.seek(0)
        file.readinto(room)
"""
POISONS_BUILTINS = """
import builtins, math
builtins.sorted = builtins.repr = builtins.len = lambda *a, **k: 'poisoned'
builtins.ValueError = KeyError
math.pi = 3
def f(x):
    return [x, math.pi]
"""

PROGRAMS = [
    READS_THE_ZIP,
    POISONS_BUILTINS,
    "def f(x):\n    return {k * (2**61 - 1) for k in range(400)}",
    "def f(x):\n    return {k * (2**61 - 1): x for k in range(300)}",
    "def f(x):\n    return [x, frozenset(k * (2**61 - 1) for k in range(400))]",
    "import os\ndef f(x):\n    while True: os.urandom(65_536)",
    "import os\ndef f(x):\n    while True: os.write(2, b'x' * 1_000_000)",
    "import sys\ndef f(x):\n    while sys.modules.pop('wave', 1): import wave",
    *(
        program.source.replace("def f():", "def f(x):")
        for program in itertools.chain(
            resources.PROGRAMS, bombs.PROGRAMS, forgeries.PROGRAMS, spoofs.PROGRAMS,
            escapes.PROGRAMS,
        )
        if len(program.source) < 4000
    ),
]  # fmt: skip
_COLLIDING_SET = "{" + ", ".join(str(k * _HASH_MODULUS) for k in range(150)) + "}"
_ANSWERS = (_COLLIDING_SET, f"{{{_HASH_MODULUS}: {_COLLIDING_SET}}}", "1", "[" * 2000)


def attacks() -> "itertools.cycle[str]":
    """Completions that a proposer's and a solver's reader both find something in."""
    return itertools.cycle(
        f"```python\n{source}\n```\n```input\n{answer}\n```\n```output\n{answer}\n```\n"
        for source, answer in zip(PROGRAMS, itertools.cycle(("1", *_ANSWERS)), strict=False)
    )


def main() -> int:
    """Run the command with an attacker's texts in the place of the model's."""
    texts = attacks()
    step = TransformersEngine.step

    def hostile_step(self: TransformersEngine) -> list[tuple[int, Sampled]]:
        return [
            (key, replace(sampled, text=next(texts), truncated=False))
            for key, sampled in step(self)
        ]

    TransformersEngine.step = hostile_step
    return program()


if __name__ == "__main__":
    sys.exit(main())
