"""What a person sees while a run goes on: a live table on a terminal, else one line a step.

All of it goes to stderr; stdout is for data. Without colour (NO_COLOR) it reads as well.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from statistics import fmean
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from azr.config.run import RunConfig
from azr.game.schedule import slots_in
from azr.types import STREAMS, Experience, Role, Rollout, Stream, stream_name

__all__ = ["Display"]

BARS = "▁▂▃▄▅▆▇█"
HISTORY = 16
"""Steps a sparkline shows."""
PHASES = {"play": "cyan", "train": "magenta", "sync": "yellow", "other": "bright_black"}
DOING = {"play": "playing", "train": "learning", "sync": "updating the engine", "": "starting"}


class Display:
    """Shows a run's progress; every method is cheap, and none is needed for the run to be right.

    Args:
        config: Of the run.
        first_step: Where this process starts; steps before it do not count for the ETA.
        console: stderr unless told otherwise; a real terminal gets the live table.
    """

    def __init__(
        self, config: RunConfig, first_step: int = 1, console: Console | None = None
    ) -> None:
        self._config = config
        self._console = console or Console(stderr=True, highlight=False)
        self._is_live = self._console.is_terminal and not self._console.is_dumb_terminal
        self._live: Live | None = None
        self._step = first_step
        self._phase = ""
        self._durations: list[float] = []
        self._history: dict[str, list[float]] = defaultdict(list)
        self._metrics: Mapping[str, float] = {}
        self._rewards: dict[Stream, list[float]] = defaultdict(list)
        self._slots: dict[Stream, set[object]] = defaultdict(set)
        self._sampled: Counter[str] = Counter()
        self._started = time.monotonic()
        self._opened = self._started

    def __enter__(self) -> Self:
        if self._is_live:
            self._live = Live(
                console=self._console, get_renderable=self._render, refresh_per_second=4
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the last picture standing and give the terminal back."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def message(self, text: str) -> None:
        """Say one thing: a phase of the start, a checkpoint, a warning."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def step_started(self, step: int) -> None:
        """Step `step` begins. Needed for the first one; after `step_done` the next begins."""
        self._step = step
        self._started = time.monotonic()
        self._rewards.clear()
        self._slots.clear()
        self._sampled.clear()
        self.phase("play")

    def phase(self, name: str) -> None:
        """The step is now in this phase: play, train or sync."""
        self._phase = name

    def sampled(self, rollout: Rollout) -> None:
        """One completion is there: a proposal, a trial or an answer."""
        self._sampled["tokens"] += len(rollout.completion_ids)
        self._sampled[rollout.prompt.role.value] += 1

    def played(self, experience: Experience) -> None:
        """One experience is graded."""
        if not self._phase:
            self.step_started(self._step)
        rewards = self._rewards[experience.stream]
        rewards.append(experience.reward)
        # trials of one task are several experiences of one slot
        self._slots[experience.stream].add(experience.group or len(rewards))
        if self._num_slots == slots_in(self._config.selfplay, self._step):
            self.phase("train")

    def step_done(self, step: int, metrics: Mapping[str, float]) -> None:
        """The step is learned from and recorded."""
        self._step, self._metrics, self._phase = step, metrics, ""
        self._durations.append(metrics.get("time/step", time.monotonic() - self._started))
        for name, value in metrics.items():
            self._history[name].append(value)
        if self._live is None:
            self.message(self._line())
        if step < self._config.steps:
            self.step_started(step + 1)
        else:
            self._rewards.clear()
            self._slots.clear()

    @property
    def _num_slots(self) -> int:
        """Slots of all streams that are graded."""
        return sum(len(slots) for slots in tuple(self._slots.values()))

    # ------------------------------------------------------------ one line

    def _line(self) -> str:
        """The step for logs: key=value, so that grep and awk find their way."""
        metrics = self._metrics
        parts = [f"step={self._step}/{self._config.steps}", f"{self._durations[-1]:.1f}s"]
        groups = {
            "reward": ("reward/", "/mean"),
            "valid": ("valid/", ""),
            "correct": ("accuracy/solver/", ""),
            "solve_rate": ("solve_rate/", ""),
        }
        for label, (prefix, suffix) in groups.items():
            if (value := mean_of(metrics, prefix, suffix)) is not None:
                parts.append(f"{label}={value:.3f}")
        parts += [
            f"{name}={metrics[f'time/{name}']:.1f}s"
            for name in ("play", "train", "sync")
            if f"time/{name}" in metrics
        ]
        if "perf/tokens_per_s" in metrics:
            parts.append(f"tokens_per_s={metrics['perf/tokens_per_s']:.0f}")
        return " ".join([*parts, f"eta={self._eta()}"])

    def _eta(self) -> str:
        left = self._config.steps - self._step + (1 if self._phase else 0)
        if not self._durations:
            return "?"
        return clock(left * fmean(self._durations[-HISTORY:]))

    # ------------------------------------------------------------ live

    def _render(self) -> RenderableType:
        head = Text.assemble(
            (self._config.name, "bold"),
            f"   step {self._step} of {self._config.steps}",
            (f"   {clock(time.monotonic() - self._opened)} so far, {self._eta()} to go", "dim"),
        )
        body = Group(self._streams(), Text(""), self._this_step(), *self._last_step())
        return Panel(body, title=head, title_align="left", border_style="bright_black")

    def _streams(self) -> Table:
        table = Table(box=None, pad_edge=False, expand=False, header_style="dim")
        columns = ("", "reward", "", "valid", "correct", "solve rate", "tokens", "this step")
        for name in columns:
            table.add_column(name, justify="left" if name == "" else "right", no_wrap=True)
        for stream in STREAMS:
            if stream[1] in self._config.selfplay.modes:
                table.add_row(*self._row(stream))
        return table

    def _row(self, stream: Stream) -> list[RenderableType]:
        name, mode = stream_name(stream), stream[1].value
        metrics, now = self._metrics, self._rewards[stream]
        reward = metrics.get(f"reward/{name}/mean")
        is_proposer = stream[0] is Role.PROPOSER
        slots = len(self._slots[stream])
        done = f"{slots}/{self._config.selfplay.batch_size}" if self._phase else ""
        return [
            Text(name, style="green" if is_proposer else "blue"),
            Text("-" if reward is None else f"{reward:+.2f}", style="bold"),
            sparkline(self._history[f"reward/{name}/mean"]),
            percent(metrics.get(f"valid/{mode}")) if is_proposer else "",
            "" if is_proposer else percent(metrics.get(f"accuracy/{name}")),
            percent(metrics.get(f"solve_rate/{mode}")) if is_proposer else "",
            count(metrics.get(f"length/{name}/mean")),
            Text(f"{done} {fmean(now):+.2f}" if now else done, style="dim"),
        ]

    def _this_step(self) -> RenderableType:
        total = slots_in(self._config.selfplay, self._step)
        done = self._num_slots
        seconds = time.monotonic() - self._started
        row = Table.grid(padding=(0, 1))
        row.add_row(
            Text(f"{DOING.get(self._phase, self._phase):<20}", style="cyan"),
            ProgressBar(total=total, completed=done, width=24),
            Text(f" {done} of {total} graded, {seconds:.0f} s" if self._phase else "", style="dim"),
        )
        if not self._phase and not self._sampled:  # seeds are sampled before the first step
            return row
        # trials are solver completions too; which is which is known only once graded
        said = (
            f"{self._sampled['proposer']} proposals, {self._sampled['solver']} answers and trials"
        )
        if self._phase != "train":
            said += f", {self._sampled['tokens'] / max(seconds, 1e-3):.0f} tokens/s"
        return Group(row, Text(" " * 21 + said, style="dim"))

    def _last_step(self) -> Sequence[RenderableType]:
        total = self._metrics.get("time/step", 0.0)
        if not total:
            return []
        bar, legend = Text(), Text()
        for name, style in PHASES.items():
            share = self._metrics.get(f"time/{name}", 0.0) / total
            bar.append("█" * round(24 * share), style=style)
            legend.append(f" {name} {share:.0%}", style=style)
        speed = self._metrics.get("perf/tokens_per_s")
        row = Table.grid(padding=(0, 1))
        tail = f" · {speed:.0f} tokens/s" if speed else ""
        row.add_row(
            Text(f"last step {total:.1f} s".ljust(20)), bar, legend, Text(tail, style="dim")
        )
        return [row]


def mean_of(metrics: Mapping[str, float], prefix: str, suffix: str) -> float | None:
    """Mean over the modes or streams that have this metric; None if none has."""
    values = [v for k, v in metrics.items() if k.startswith(prefix) and k.endswith(suffix)]
    return fmean(values) if values else None


def sparkline(values: Sequence[float]) -> Text:
    """The last values as little bars, from their least to their greatest."""
    recent = values[-HISTORY:]
    if len(recent) < 2:
        return Text(" " * HISTORY)
    low, width = min(recent), max(recent) - min(recent)
    levels = [round((v - low) / width * (len(BARS) - 1)) if width else 0 for v in recent]
    return Text("".join(BARS[level] for level in levels).ljust(HISTORY), style="cyan")


def percent(value: float | None) -> str:
    """`31 %`, or a dash."""
    return "-" if value is None else f"{value:.0%}"


def count(value: float | None) -> str:
    """`112`, or a dash."""
    return "-" if value is None else f"{value:.0f}"


def clock(seconds: float) -> str:
    """`0:03:20`."""
    return str(timedelta(seconds=round(seconds)))
