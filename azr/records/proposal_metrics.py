"""What a step's valid proposals are like, in numbers; logged whether or not a run pays for it.

    intrinsic/<mode>/<term>   mean value of each term that has a meaning in the mode, before its
                              coefficient: complexity, mean_edit_distance, halstead,
                              answer_diversity, input_diversity, output_diversity
    ast_distance/<mode>       intrinsic/<mode>/mean_edit_distance, under the name of what it is
    complexity/<mode>   cyclomatic/<mode>   halstead_effort/<mode>   halstead_volume/<mode>
    likeness/<mode>/{nearest,mean}   to all that is stored, where a run pays for it
    nodes/<mode>   uses_input/<mode>   distinct_structures/<mode>   profiled/<mode>

complexity is the cognitive one, of the program, not divided by 15. distinct_structures is the
share of programs left when those that differ in names, layout and annotations alone count once.
"""

from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean

from azr.types import Appraisal, Experience

__all__ = ["appraisal_metrics"]


def appraisal_metrics(mode: str, experiences: Sequence[Experience]) -> dict[str, float]:
    """All of the above for one mode's proposals of a step; {} where none was appraised."""
    appraisals = [e.appraisal for e in experiences if e.appraisal is not None]
    if not appraisals:
        return {}
    return {
        **merit_metrics(mode, appraisals),
        **profile_metrics(mode, appraisals),
        **likeness_metrics(mode, appraisals),
    }


def merit_metrics(mode: str, appraisals: Sequence[Appraisal]) -> dict[str, float]:
    """Means of the merits, each over the tasks that have it."""
    metrics: dict[str, float] = {}
    rows = [asdict(appraisal.merits) for appraisal in appraisals]
    for name in rows[0]:
        values = [row[name] for row in rows if row[name] is not None]
        if values:
            metrics[f"intrinsic/{mode}/{name}"] = fmean(values)
    if (distance := metrics.get(f"intrinsic/{mode}/mean_edit_distance")) is not None:
        metrics[f"ast_distance/{mode}"] = distance
    return metrics


def profile_metrics(mode: str, appraisals: Sequence[Appraisal]) -> dict[str, float]:
    """Means over the programs that have a profile, and how many have one."""
    profiles = [a.profile for a in appraisals if a.profile is not None]
    metrics = {f"profiled/{mode}": len(profiles) / len(appraisals)}
    if profiles:
        metrics |= {
            f"complexity/{mode}": fmean(p.cognitive for p in profiles),
            f"cyclomatic/{mode}": fmean(p.cyclomatic for p in profiles),
            f"halstead_effort/{mode}": fmean(p.effort for p in profiles),
            f"halstead_volume/{mode}": fmean(p.volume for p in profiles),
            f"nodes/{mode}": fmean(p.nodes for p in profiles),
            f"uses_input/{mode}": fmean(p.uses_input for p in profiles),
            f"distinct_structures/{mode}": len({p.structure for p in profiles}) / len(profiles),
        }
    return metrics


def likeness_metrics(mode: str, appraisals: Sequence[Appraisal]) -> dict[str, float]:
    """Means over the programs that were compared with what is stored."""
    found = [a.likeness for a in appraisals if a.likeness is not None]
    if not found:
        return {}
    return {
        f"likeness/{mode}/nearest": fmean(likeness.nearest for likeness in found),
        f"likeness/{mode}/mean": fmean(likeness.mean for likeness in found),
    }
