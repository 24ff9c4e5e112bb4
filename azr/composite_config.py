"""Configuration of composite tasks: azr.config's [composite] (paper, D.2)."""

from dataclasses import dataclass

from azr.errors import ConfigError

__all__ = ["CompositeConfig"]


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
