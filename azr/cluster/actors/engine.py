"""One engine as an actor: vLLM's AsyncLLM, whose core and workers are processes of their own.

It samples for many at once, takes weights by vLLM's WeightTransfer, and ends itself when its core
is dead: an actor that is up and answers nothing would never be started anew.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import asyncio
import itertools
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from azr.config.run import RunConfig
from azr.errors import ModelError, one_line
from azr.models.checksums import Receipt
from azr.models.pretrained import resolve_model
from azr.rollout.requests import Request, Sampled

__all__ = ["EngineActor"]

POLL_S = 0.5
EXIT_DEAD = 70


class EngineActor:
    """Engine `number` of a run; its methods run concurrently, in one event loop."""

    def __init__(self, number: int, config: RunConfig, max_model_len: int) -> None:
        self._number = number
        self._config = config
        self._max_model_len = max_model_len
        self._names = itertools.count()
        self._num_pushes = 0
        self._watch: asyncio.Task[None] | None = None

    async def ready(self) -> int:
        """Start vLLM, with the model that the run began with, unless it is up; the process id.

        Raises:
            ModelError: It does not start.
        """
        if self._watch is None:
            self._open()
            self._watch = asyncio.create_task(self._end_with_core())
        return os.getpid()

    def _open(self) -> None:
        import torch  # noqa: PLC0415 - slow: in the actor's own process alone
        from vllm import AsyncEngineArgs  # noqa: PLC0415
        from vllm.config import WeightTransferConfig  # noqa: PLC0415
        from vllm.v1.engine.async_llm import AsyncLLM  # noqa: PLC0415

        from azr.cluster.actors.weight_transfer import BACKEND, EXTENSION  # noqa: PLC0415
        from azr.rollout.vllm_engine import engine_arguments  # noqa: PLC0415

        config = self._config
        folder, on_gpu = resolve_model(config.model.name), torch.cuda.is_available()
        arguments = engine_arguments(folder, config.rollout, self._max_model_len, on_gpu=on_gpu)
        if not on_gpu:
            arguments["kv_cache_memory_bytes"] = int(config.rollout.kv_cache_gib * 2**30)
            if config.cluster.tensor_parallel == 1:  # by itself vLLM starts a process more
                arguments["distributed_executor_backend"] = "uni"
        try:
            self._llm = AsyncLLM.from_engine_args(
                AsyncEngineArgs(
                    **arguments,
                    tensor_parallel_size=config.cluster.tensor_parallel,
                    weight_transfer_config=WeightTransferConfig(backend=BACKEND),
                    worker_extension_cls=EXTENSION,
                )
            )
        except Exception as error:  # noqa: BLE001 - vLLM raises anything
            raise ModelError(
                f"vLLM could not start engine {self._number} with {folder} on"
                f" {socket.gethostname()} ({one_line(error)}): `azr doctor` there"
            ) from None  # it might not be known where this is read

    async def sample(self, request: Request) -> Sampled:
        """Complete a request once; cancelling the call frees the engine of it.

        Raises:
            ModelError: vLLM refuses it.
        """
        from azr.rollout.vllm_engine import sampled_of, sampling_params  # noqa: PLC0415

        try:
            params = sampling_params(request, self._llm.model_config.get_vocab_size())
            return sampled_of(await self._last(request.prompt_ids, params, request.priority))
        except ValueError as error:
            raise ModelError(f"vLLM refused a prompt: {error}") from error

    async def prompt_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Log-probability of each token but the first, at temperature 1."""
        from azr.rollout.vllm_engine import prompt_logprobs_of, reading_params  # noqa: PLC0415

        return prompt_logprobs_of(await self._last(token_ids, reading_params()), token_ids)

    async def meet(self, meeting: Mapping[str, Any]) -> None:
        """Join the first learner and the other engines for pushes to come."""
        await self._llm.collective_rpc(
            "init_weight_transfer_engine", kwargs={"init_info": dict(meeting)}
        )

    async def receive(self, announcement: Mapping[str, Any]) -> None:
        """Take one push, while the first learner sends it.

        What is being sampled ends before, or goes on after it with rollout.max_staleness.
        """
        mode = "keep" if self._config.rollout.max_staleness else "wait"
        await self._llm.pause_generation(mode=mode, clear_cache=False)
        await self._llm.start_weight_update()
        await self._llm.collective_rpc("update_weights", kwargs={"update_info": dict(announcement)})
        await self._llm.finish_weight_update(str(announcement["version"]))
        self._num_pushes += 1  # a version may come twice: learners begin at a checkpoint anew
        await self._llm.resume_generation()

    async def forget(self) -> bool:
        """Empty the prefix cache; False if a block of it is in use."""
        return await self._llm.reset_prefix_cache()

    async def receipts(self) -> list[Receipt | None]:
        """What each worker was given by the last push that it received to its end."""
        given: list[Any] = await self._llm.collective_rpc("weight_receipt")
        return [None if one is None else Receipt(one[0], dict(one[1])) for one in given]

    async def _last(self, token_ids: Sequence[int], params: Any, priority: int = -1) -> Any:
        from azr.rollout.vllm_engine import prompt_of  # noqa: PLC0415

        plays_ahead = self._config.rollout.max_staleness > 0
        prompt = prompt_of(token_ids, self._num_pushes if plays_ahead else None)
        outputs: AsyncIterator[Any] = self._llm.generate(
            prompt, params, str(next(self._names)), priority=priority
        )
        return [output async for output in outputs][-1]

    async def _end_with_core(self) -> None:
        while not self._llm.errored:  # noqa: ASYNC110 - vLLM tells nobody
            await asyncio.sleep(POLL_S)
        os._exit(EXIT_DEAD)
