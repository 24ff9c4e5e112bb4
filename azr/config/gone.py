"""Keys of older versions: the value that changed nothing, and what to do about another."""

from collections.abc import Mapping

__all__ = ["GONE"]

TERMS = (
    *("complexity", "mean_edit_distance", "halstead"),
    *("answer_diversity", "input_diversity", "output_diversity"),
)
CONSTANT = "leave it out, it is constant now"

GONE: Mapping[str, tuple[object, str]] = {
    **{
        f"parsing.{when}strip_{what}": (False, f'write parsing.{when}strip = ["{what}"]')
        for when in ("", "seeding_")
        for what in ("comments", "globals", "prints")
    },
    "cluster.processes": (1, "write cluster.learners = N and cluster.engines = M, a GPU each"),
    "composite.schedule_start": (101, CONSTANT),
    "composite.schedule_every": (50, CONSTANT),
    "composite.schedule_n_max": (3, CONSTANT),
    "composite.schedule_chance_gain": (0.01, CONSTANT),
    "composite.schedule_chance_max": (0.8, CONSTANT),
    **{f"intrinsic.{term}.coef": (0.0, f"write intrinsic.{term}") for term in TERMS},
    **{f"intrinsic.{term}.max": (0.5, "write intrinsic.max, for all terms") for term in TERMS},
    "novelty.cluster_distance": (0.1, CONSTANT),
    "loss.temperature": (1.0, "leave it out, rollout.temperature is meant"),
    "loss.logit_scale": (1.0, "leave it out, it is read from the model"),
    "loss.softcap": (0.0, "leave it out, it is read from the model"),
}
"""By dotted name. A file that holds the value beside it loads as before, so that old runs do."""
