"""Do weights arrive? A learner's own push, as a run on several GPUs makes it, and its checksums.

Two pushes with an update between them, and the proof that the first does not pass for the second.
Sender and receiver are threads of this process, a GPU each; NCCL lets nobody meet himself on one.
With a single GPU there is no receiver: then what is left of it is tried, each under its name.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# (torch, transformers and vllm are typed in part)

import importlib.util
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, cast

import torch
import torch.distributed as untyped
from torch import Tensor

from azr.cli.gpu.device import Place
from azr.cli.gpu.models import QWEN_0_5B, TINY, rollouts, write_model
from azr.cli.gpu.parts import Case, Found
from azr.cluster.actors.broadcast import Broadcast, free_port
from azr.cluster.actors.learner import LearnerActor
from azr.config.run import LearnerConfig, ModelConfig, RunConfig
from azr.errors import StaleWeights
from azr.learner.packing import sequences_of
from azr.models.checksums import Receipt, checksum
from azr.rollout.weight_proof import check_receipt

__all__ = ["cases"]

dist = cast(Any, untyped)
HOST = "127.0.0.1"
PATIENCE_S = 60.0
DTYPE = "bfloat16"


def cases(place: Place) -> Iterator[Case]:
    """What can be tried with this many GPUs."""
    if not place.on_gpu:
        yield Case("gloo, two ends", partial(pushed, place, torch.device("cpu")))
        return
    yield Case("checksums of the GPU and of the host", partial(same_checksums, place))
    yield Case("NCCL, one end", partial(nccl_alone, place))
    if torch.cuda.device_count() < 2:
        yield Case("NCCL, two ends", partial(left_out, "it needs two GPUs, and here is one"))
    elif importlib.util.find_spec("vllm") is None:
        yield Case("NCCL, two ends", partial(left_out, "vllm is not installed, whose NCCL it uses"))
    else:
        yield Case("NCCL, two ends", partial(pushed, place, torch.device("cuda:1")))


def left_out(reason: str) -> Found:
    """A case that cannot be tried here."""
    return Found(left_out=reason)


def pushed(place: Place, other: torch.device) -> Found:
    """Push, update, push again; the receiver's checksums must be the sender's."""
    shape = QWEN_0_5B if place.on_gpu else TINY
    folder = write_model(place.folder / f"model-{shape.hidden}", shape, place.device)
    config = RunConfig(
        model=ModelConfig(name=str(folder)), learner=LearnerConfig(lr=1e-3, micro_batch_tokens=512)
    )
    actor = LearnerActor(0, 1)
    _, shapes, _ = actor.open(config, (HOST, 0), "")
    port = free_port()
    place_thread = partial(torch.cuda.set_device, other) if place.on_gpu else None
    with ThreadPoolExecutor(1, initializer=place_thread) as pool:
        joining = pool.submit(Broadcast, HOST, port, 1, 2, other, PATIENCE_S)
        actor.meet(HOST, port, 2, PATIENCE_S)
        group = joining.result()
        receipts, seconds = list[Receipt](), 0.0
        for version in (1, 2):
            arriving = pool.submit(received, group, shapes, other, version)
            start = time.perf_counter()
            sent = actor.send(DTYPE)
            receipts.append(arriving.result())
            seconds = time.perf_counter() - start
            if sent.failure:
                return Found(fault=sent.failure)
            check_receipt(receipts[-1], Receipt(version, sent.checksums), "the receiver")
            actor.learn(sequences_of(rollouts(2, 16, 16, shape.words, seed=version), [1.0, -1.0]))
        group.close()
    size = sum(torch.Size(one).numel() for one in shapes.values()) * 2
    figures = {"tensors": float(len(shapes)), "mib": size / 2**20, "s": seconds}
    return Found(figures=figures, fault=told_apart(receipts[0], receipts[1]))


def received(
    group: Broadcast, shapes: Mapping[str, list[int]], device: torch.device, version: int
) -> Receipt:
    """Take each parameter as vLLM's worker does (azr.cluster.actors.weight_transfer)."""
    given: dict[str, int] = {}
    for name, shape in shapes.items():
        weight = torch.empty(shape, dtype=getattr(torch, DTYPE), device=device)
        group.share(weight)
        given[name] = checksum(weight)
    return Receipt(version, given)


def told_apart(first: Receipt, second: Receipt) -> str:
    """What is wrong if the weights before an update pass for those after it."""
    try:
        check_receipt(Receipt(second.version, first.checksums), second)
    except StaleWeights:
        return ""
    return "weights before an update have the checksums of those after it"


def same_checksums(place: Place) -> Found:
    """A checksum must not depend on where it is computed: all sizes of a tail, and a large one."""
    draw = torch.Generator().manual_seed(0)
    start = time.perf_counter()
    for count in (1, 3, 4, 5, 65_537, 30_000_001):
        value = torch.randn(count, generator=draw).to(torch.bfloat16)
        here, there = checksum(value), checksum(value.to(place.device))
        if here != there:
            return Found(fault=f"{count} numbers: {here} on the host, {there} on the GPU")
    return Found(figures={"s": time.perf_counter() - start})


def nccl_alone(place: Place) -> Found:
    """A group of one: that NCCL starts and leaves a tensor's bits alone; nothing travels."""
    store = dist.TCPStore(HOST, free_port(), 1, True)
    dist.init_process_group("nccl", store=store, rank=0, world_size=1, device_id=place.device)
    try:
        weight: Tensor = torch.randn(2**24, device=place.device)
        before = checksum(weight)
        dist.broadcast(weight, 0)
        dist.all_reduce(weight)
        torch.cuda.synchronize()
        version = ".".join(map(str, cast(Any, torch.cuda).nccl.version()))
        fault = "" if checksum(weight) == before else "NCCL changed the bits of a group of one"
        return Found(figures={"nccl": version}, fault=fault)
    finally:
        dist.destroy_process_group()
