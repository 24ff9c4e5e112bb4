"""One file a project whose requests are answered: its words in, its words out."""

from typing import Final

from sandbox_wasm.http.consumers.execute import EXECUTE
from sandbox_wasm.http.consumers.fusion import RUN_CODE
from sandbox_wasm.http.consumers.jupyter import RUN_JUPYTER
from sandbox_wasm.http.consumers.nemo_skills import session_routes
from sandbox_wasm.http.consumers.open_instruct import TEST_PROGRAM, TEST_PROGRAM_STDIO
from sandbox_wasm.http.consumers.reward import REWARD
from sandbox_wasm.http.consumers.scalebox import COMMON_EVALUATE_BATCH
from sandbox_wasm.http.endpoint import Endpoint

__all__ = ["ENDPOINTS", "session_routes"]

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    RUN_CODE, EXECUTE, TEST_PROGRAM, TEST_PROGRAM_STDIO, COMMON_EVALUATE_BATCH, REWARD, RUN_JUPYTER,
)  # fmt: skip
"""The ones that are asked most often first."""
