"""Write docs/configuration.md from the models of azr/config.

python scripts/configuration_doc.py docs/configuration.md
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from azr.config.keys import describe
from azr.config.spelling import spell_value

HEAD = """\
# Configuration

Generated from the types and docstrings of [azr/config](../azr/config) by `make docs`; a test keeps
it current. A run is one TOML file (ready ones are in [configs/](../configs)), or several merged
left to right, and overrides on the command line:

```
azr train configs/smollm2-135m.toml my.toml --name try-2 --learner.lr 2e-6 --selfplay.batch_size=8
azr train configs/smollm2-135m.toml --dry-run     # print what it resolves to and needs, do nothing
```

[Memory, tokens and disk of a run, and of the paper's](method/hardware.md), before it is started.

A path may begin with `~`; a relative one is seen from the folder where the command is started, not
from the file's, and `$NAME` stands for itself. Files are UTF-8, with or without a byte order mark.
Lists are written `[1, 2]`, on the command line also `1,2`; `"default"` stands for what TOML has no
word for: the value is left to azr. An unknown key or an impossible value ends the command with exit
code 2 before anything is loaded. What a run resolved to is in its folder, `config.toml` and
`resolved.json`. A key that an older version had is ignored where it holds what was its default;
with another value it is refused, and the line says what to write instead.

The last column says what a key means and when to touch it. A source in parentheses is where the
default comes from: AZR is the authors' code, paper is arXiv 2505.03335.
"""


def render() -> str:
    """The whole page."""
    return "\n".join([HEAD, *tables()])


def tables() -> Iterator[str]:
    """One table a section, in the order of the code."""
    section = None
    for key in describe().values():
        table, _, name = key.name.rpartition(".")
        if table != section:
            section = table
            title = f"## [{table}]" if table else "## The run"
            yield f"{title}\n\n| key | default | allowed | meaning |\n|---|---|---|---|"
        cells = (f"`{name}`", f"`{spell_value(key.default)}`", key.allowed, key.doc)
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        if key is last_of(table):
            yield ""


def last_of(table: str) -> object:
    """The last key of a section."""
    return [key for key in describe().values() if key.name.rpartition(".")[0] == table][-1]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render().rstrip("\n") + "\n", encoding="utf-8")
