"""What a run will need, worked out before anything is loaded: memory, rollouts, disk.

Read shape.py (what a model is like), adapters.py (what of it is trained), memory.py (bytes, which
are exact, and the margin), fit.py (does it fit, and what to change), then text.py (what
`azr train --dry-run` prints). No framework is imported, so a laptop can plan a cluster's run.
"""

from azr.run.planning.adapters import check_adapters
from azr.run.planning.fit import num_gpus, on_gpus, refuse
from azr.run.planning.shape import find_shape
from azr.run.planning.text import describe

__all__ = ["check_adapters", "describe", "find_shape", "num_gpus", "on_gpus", "refuse"]
