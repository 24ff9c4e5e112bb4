"""`/reward`: completions and ground truths in, rewards out, for trainers that post to a URL.

Source: github.com/THUDM/slime, slime/rollout/rm_hub/__init__.py at 0b420f1 (`--rm-url`, 120 s, ten
tries, then it raises); github.com/OpenRLHF/OpenRLHF, openrlhf/utils/remote_rm_utils.py at 07c34b3
(`--reward.remote_url`, 180 s, five tries, then it raises) and the form with prompts and labels.
"""

from typing import Annotated, Any, Final, cast

from pydantic import Discriminator, Field, Tag, TypeAdapter

from sandbox_wasm.adapters.grading import program_of
from sandbox_wasm.grading import Check, agrade
from sandbox_wasm.http.bodies import Body, Refused
from sandbox_wasm.http.endpoint import Call, Endpoint
from sandbox_wasm.http.runs.cases import check_of

__all__ = ["REWARD"]

SLIME_S: Final = 115.0
OPENRLHF_S: Final = 175.0
MAX_QUERIES: Final = 4096
Texts = Annotated[list[str], Field(max_length=MAX_QUERIES)]


class SlimeReward(Body):
    """One sample of slime's: the label is the ground truth."""

    prompt: str | list[dict[str, Any]] = ""
    response: str
    label: Any


class OpenRlhfReward(Body):
    """A batch of OpenRLHF's: each query is a prompt with its completion."""

    query: str | Texts
    prompts: str | Texts = Field(default=[])
    labels: Any


def _kind(body: Any) -> str:
    is_slime = isinstance(body, dict) and "response" in cast("dict[str, Any]", body)
    return "slime" if is_slime else "OpenRLHF"


Reward = Annotated[
    Annotated[SlimeReward, Tag("slime")] | Annotated[OpenRlhfReward, Tag("OpenRLHF")],
    Discriminator(_kind),
]


async def answer(call: Call, body: SlimeReward | OpenRlhfReward) -> Any:
    """Score completions: 1.0 for those that pass all tests, else 0.0."""
    if isinstance(body, SlimeReward):
        check = check_of(body.label, "label")
        return (await _scores(call, [body.response], [check], "label"))[0]
    queries = [body.query] if isinstance(body.query, str) else body.query
    labels = _listed(body.labels)
    prompts = [body.prompts] if isinstance(body.prompts, str) else body.prompts
    if len(labels) != len(queries) or (prompts and len(prompts) != len(queries)):
        message = f"{len(queries)} queries, {len(prompts)} prompts, {len(labels)} labels"
        raise Refused(422, message, "body", "labels")
    completions = [
        query.removeprefix(prompt)
        for query, prompt in zip(queries, prompts or [""] * len(queries), strict=True)
    ]
    checks = [check_of(label, "labels", index) for index, label in enumerate(labels)]
    scores = await _scores(call, completions, checks, "labels")
    return {"rewards": scores, "scores": scores, "extra_logs": {}}


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


async def _scores(call: Call, completions: list[str], checks: list[Check], key: str) -> list[float]:
    programs = [program_of(text, check) for text, check in zip(completions, checks, strict=True)]
    try:
        return await agrade(call, programs, checks, packages=call.packages)
    except ValueError as exc:
        raise Refused(422, str(exc), "body", key) from exc


def deadline_s(body: SlimeReward | OpenRlhfReward) -> float:
    """Before either client gives up."""
    return SLIME_S if isinstance(body, SlimeReward) else OPENRLHF_S


REWARD: Final = Endpoint(
    path="/reward",
    consumer="slime, OpenRLHF",
    summary="score completions by their ground truths",
    body=TypeAdapter(Reward),
    answer=answer,
    deadline_s=deadline_s,
    example={"prompt": "Write add.", "response": "```python\ndef add(a, b): return a + b\n```",
             "label": '["assert add(1, 2) == 3"]'},
)  # fmt: skip
