"""LoRA: small trained matrices beside frozen ones (Hu et al. 2021, arXiv 2106.09685), by PEFT.

    y = W x + (alpha / rank) B A x,    A: rank x inputs, B: outputs x rank; only A and B are trained

There is no dropout in them. The learner must find a rollout as likely as the sampler did, and a
learner with dropout would not: its ratios would be noise from the first step on.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from azr.config.kinds import Count, ListOf, Natural
from azr.config.section import Section
from azr.errors import ConfigError

__all__ = ["ALL_LINEAR", "LoraConfig"]

ALL_LINEAR = "all-linear"
"""PEFT's word for every linear layer but the head."""


class LoraConfig(Section, title="lora"):
    """Adapters of low rank, trained in place of the model's own weights."""

    rank: Natural = 0
    """Rank of the adapters; 0 = all weights are trained. (PEFT: r) Set it, to 16 for example, when
    memory is short, and raise learner.lr about tenfold with it."""
    alpha: Count = 32
    """What the adapters compute counts alpha / rank times. (PEFT: lora_alpha) Leave it, and change
    learner.lr instead."""
    targets: Annotated[ListOf[str], Field(min_length=1)] = (
        *("q_proj", "k_proj", "v_proj", "o_proj"),
        *("gate_proj", "up_proj", "down_proj"),
    )
    """Linear layers that are adapted, each by the end of its name; "all-linear" is all but the
    head. (PEFT: target_modules) Change it for models that call theirs differently."""

    def adapts(self, name: str) -> bool:
        """Whether the linear layer of this name is adapted; the head never is."""
        return any(target == ALL_LINEAR or ends_with(name, target) for target in self.targets)

    def check(self, model: str, linears: Mapping[str, tuple[int, int]]) -> None:
        """Refuse what a model's layers cannot have.

        Args:
            model: What an error calls it.
            linears: Inputs and outputs of its linear layers without the head, by name.

        Raises:
            ConfigError: A target names none of them, or the rank is above a layer's dimensions.
        """
        for target in self.targets:
            if not any(target == ALL_LINEAR or ends_with(name, target) for name in linears):
                there = ", ".join(sorted({name.rpartition(".")[2] for name in linears})) or "none"
                raise ConfigError(
                    f"lora.targets names {target!r}, and {model} has no such linear layer (there"
                    f" are: {there}; the embedding and the head are not adapted)"
                )
        sizes = {name: min(size) for name, size in linears.items() if self.adapts(name)}
        smallest = min(sizes, key=sizes.__getitem__)
        if self.rank > sizes[smallest]:
            raise ConfigError(
                f"lora.rank must be at most {sizes[smallest]}, the smaller dimension of {smallest}"
                f" in {model}, got {self.rank}"
            )


def ends_with(name: str, target: str) -> bool:
    """Whether the dotted name ends with this one, as PEFT compares them."""
    return name == target or name.endswith("." + target)
