"""`/execute` is the name of two interfaces; their bodies tell which is meant."""

from typing import Annotated, Any, Final, cast

from pydantic import Discriminator, Tag, TypeAdapter

from sandbox_wasm.http.consumers.nemo_skills import (
    GeneratedCode,
    execute_generated,
    generated_deadline_s,
)
from sandbox_wasm.http.consumers.open_instruct import (
    ExecuteCode,
    execute,
    execute_deadline_s,
)
from sandbox_wasm.http.endpoint import Call, Endpoint

__all__ = ["EXECUTE"]


def _kind(body: Any) -> str:
    is_nemo = isinstance(body, dict) and "generated_code" in cast("dict[str, Any]", body)
    return "NeMo-Skills" if is_nemo else "open-instruct"


Execute = Annotated[
    Annotated[GeneratedCode, Tag("NeMo-Skills")] | Annotated[ExecuteCode, Tag("open-instruct")],
    Discriminator(_kind),
]


async def answer(call: Call, body: GeneratedCode | ExecuteCode) -> Any:
    """Answer whoever asks in their words."""
    if isinstance(body, GeneratedCode):
        return await execute_generated(call, body)
    return await execute(call, body)


def deadline_s(body: GeneratedCode | ExecuteCode) -> float:
    """Before either client gives up."""
    if isinstance(body, GeneratedCode):
        return generated_deadline_s(body)
    return execute_deadline_s(body)


EXECUTE: Final = Endpoint(
    path="/execute",
    consumer="NeMo-Skills, open-instruct",
    summary="run a program, or the next turn of a session (X-Session-ID)",
    body=TypeAdapter(Execute),
    answer=answer,
    deadline_s=deadline_s,
    late_status=502,  # the one status that NeMo-Skills takes for no answer
    failed_status=502,
    example={"generated_code": "x = 41\nx + 1", "timeout": 10, "language": "ipython"},
)
