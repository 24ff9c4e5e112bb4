"""The only file that touches vLLM, its internals included: another vLLM version ends here.

In-process engine (no second process, weights handed over by reference), stepped by the caller.
What had to be learned is in the comments; tests/e2e/test_engines.py holds each of it.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

import gc
import logging
import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from azr.config.run import RolloutConfig
from azr.errors import ModelError, StaleWeights
from azr.models.checksums import Receipt, noting
from azr.models.weights import TorchWeights
from azr.rollout.requests import Request, Sampled

__all__ = ["VllmEngine", "engine_arguments", "open_engine"]

log = logging.getLogger(__name__)

MAX_BATCHED_TOKENS = 2048
"""Prompt tokens computed in one step, at least; more only makes running requests wait."""
READING = "reading"
"""The name of the request that only reads; those of completions are numbers."""


def open_engine(
    folder: Path,
    config: RolloutConfig,
    *,
    tokenizer: Any,  # noqa: ARG001 - vLLM reads its own
    max_model_len: int,
) -> "VllmEngine":
    """Start vLLM: azr.rollout.opening.OpenEngine."""
    return VllmEngine(folder, config, max_model_len=max_model_len)


class VllmEngine:
    """azr.rollout.engine.Engine over vLLM on a CPU or a GPU.

    Args:
        folder: The model.
        config: Sampling.
        max_model_len: Tokens of a prompt and its completion together.
    """

    def __init__(self, folder: Path, config: RolloutConfig, *, max_model_len: int) -> None:
        self._on_gpu = torch.cuda.is_available()
        self.is_exact = config.dtype == "float32"
        self.receipt: Receipt | None = None
        self._dtype = getattr(torch, config.dtype)
        self._keys: dict[str, int] = {}
        self._finished: list[tuple[int, Sampled]] = []
        """Completions that came while something else was read."""
        self._shares_prefixes = not config.max_staleness
        self._num_pushes = 0
        set_num_threads = torch.set_num_threads
        try:
            self._llm = start(folder, config, max_model_len, on_gpu=self._on_gpu)
        except Exception as error:  # vLLM raises anything; the cause stays attached
            raise ModelError(
                f"vLLM could not start with {folder} ({type(error).__name__}: {error}):"
                ' try rollout.engine = "transformers", or `azr doctor`'
            ) from error
        finally:
            # the CPU worker makes it a no-op for the whole process, the learner's part included
            torch.set_num_threads = set_num_threads
        self._core: Any = self._llm.llm_engine

    @property
    def num_running(self) -> int:
        """Requests added and neither finished nor aborted."""
        return len(self._keys)

    def add(self, key: int, request: Request) -> None:
        """Take on a request."""
        name, prompt = str(key), self._prompt(request.prompt_ids)
        try:
            # the engine calls the request by a name of its own, in which ours comes first
            params = sampling_params(request, self._core.model_config.get_vocab_size())
            self._core.add_request(name, prompt, params, priority=request.priority)
        except ValueError as error:
            raise ModelError(f"vLLM refused a prompt: {error}") from error
        self._keys[name] = key

    def step(self) -> list[tuple[int, Sampled]]:
        """Compute once for all requests; return those that finished."""
        finished, self._finished = self._finished, []
        return finished + self._completed(self._core.step())

    def _completed(self, outputs: Iterable[Any]) -> list[tuple[int, Sampled]]:
        return [
            (key, sampled_of(output))
            for output in outputs
            if output.finished and (key := self._keys.pop(output.request_id, None)) is not None
        ]

    def _prompt(self, token_ids: Sequence[int]) -> Any:
        return prompt_of(token_ids, None if self._shares_prefixes else self._num_pushes)

    def abort(self, keys: Iterable[int]) -> None:
        """Drop requests; unknown keys are ignored."""
        names = [name for key in keys if (name := str(key)) in self._keys]
        for name in names:
            del self._keys[name]
        if names:
            self._core.abort_request(names)

    def load(self, weights: TorchWeights, version: int) -> None:
        """Replace all weights; no later request reads what was computed with the old ones."""
        self.receipt = None
        given: dict[str, int] = {}
        iterator = noting(weights.named_parameters(self._dtype), given)
        self._llm.collective_rpc("reload_weights", kwargs={"weights_iterator": iterator})
        if not self._on_gpu:
            self._llm.apply_model(repack_head)
        if self._shares_prefixes and not self._llm.reset_prefix_cache():
            raise StaleWeights(
                f"before version {version} vLLM could not empty its prefix cache, whose blocks are"
                " in use: keys and values of the old weights would be read with the new ones"
            )
        self._num_pushes += 1
        self._core.set_weight_version(str(version))
        self.receipt = Receipt(version, given)

    def prompt_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Log-probability of each token but the first, at temperature 1."""
        self._core.add_request(READING, self._prompt(token_ids), reading_params(), priority=-1)
        read = None
        while read is None:
            outputs = self._core.step()
            self._finished += self._completed(outputs)
            read = next((one for one in outputs if one.request_id == READING), None)
        return prompt_logprobs_of(read, token_ids)

    def close(self) -> None:
        """Give back memory and threads."""
        from vllm.distributed.parallel_state import (  # noqa: PLC0415 - see vllm_problem
            cleanup_dist_env_and_memory,
        )

        self._core.engine_core.shutdown()
        del self._core, self._llm
        gc.collect()
        cleanup_dist_env_and_memory()


def start(folder: Path, config: RolloutConfig, max_model_len: int, *, on_gpu: bool) -> Any:
    """Open the engine with what azr needs of it."""
    os.environ["VLLM_CPU_KVCACHE_SPACE"] = str(max(1, round(config.kv_cache_gib)))
    from vllm import LLM  # noqa: PLC0415 - reads its environment when imported

    arguments = engine_arguments(folder, config, max_model_len, on_gpu=on_gpu)
    if config.max_staleness:  # no step may be under way when weights change, nobody can drain it
        arguments["async_scheduling"] = False
    return LLM(**arguments, use_tqdm_on_load=False)


def engine_arguments(
    folder: Path, config: RolloutConfig, max_model_len: int, *, on_gpu: bool
) -> dict[str, Any]:
    """What vLLM is started with, in whichever process."""
    where: dict[str, Any] = {
        "gpu_memory_utilization": config.gpu_memory_utilization,
        # as the learner computes its logits: vLLM's own are rounded to the model's 16 bits
        "hf_overrides": {"head_dtype": "float32"},
    }
    if not on_gpu:
        # On a CPU a prompt that is computed in two parts breaks seeded sampling: the engine
        # rewinds the request's generator, and CPU generators cannot be rewound. So prompts are
        # never split, and a step must have room for the longest.
        where = {
            "enable_chunked_prefill": False,
            "max_num_batched_tokens": max(max_model_len, MAX_BATCHED_TOKENS),
            "enforce_eager": True,
        }
    return {
        "model": str(folder),
        "dtype": config.dtype,
        "max_model_len": max_model_len,
        "max_num_seqs": config.max_concurrent,
        "logprobs_mode": "processed_logprobs",  # the default ignores the temperature
        "enable_prefix_caching": True,
        "scheduling_policy": "priority" if config.max_staleness else "fcfs",
        "disable_log_stats": True,
        "seed": 0,
        **where,
    }


def repack_head(model: Any) -> None:
    """Pack the new lm_head: on a CPU `reload_weights` leaves a packed copy of the old one.

    Without this the body is new and the head is old wherever embeddings are tied: text changes,
    so it looks right, and log-probabilities are off by 0.25 on average.
    """
    head = getattr(model, "lm_head", None)
    if head is not None:
        head.quant_method.process_weights_after_loading(head)


def prompt_of(token_ids: Sequence[int], push: int | None) -> Any:
    """Tokens in vLLM's words; prompts share keys and values after the same push, or ever (None).

    While requests are under way the prefix cache cannot be emptied, and a prefix that all prompts
    have would be read with ever newer weights.
    """
    prompt = {"prompt_token_ids": list(token_ids)}
    return prompt if push is None else {**prompt, "cache_salt": str(push)}


def sampling_params(request: Request, vocab_size: int) -> Any:
    """A request in vLLM's words; tokens that are dropped are left out of those that it may take.

    By `logit_bias` vLLM would lay all requests' biases out anew whenever one begins or ends.
    """
    from vllm import SamplingParams  # noqa: PLC0415 - see vllm_problem
    from vllm.sampling_params import RequestOutputKind  # noqa: PLC0415

    return SamplingParams(
        temperature=request.temperature,
        seed=request.seed,
        max_tokens=request.max_tokens,
        stop=list(request.stop) or None,
        logprobs=0,  # of the sampled token alone
        allowed_token_ids=others(request.dropped, vocab_size) if request.dropped else None,
        output_kind=RequestOutputKind.FINAL_ONLY,
        skip_clone=True,  # nobody else has it, and a deep copy of 150,000 numbers takes long
    )


@lru_cache(maxsize=4)
def others(dropped: tuple[int, ...], vocab_size: int) -> list[int]:
    """The tokens that are not dropped, for vLLM to read; requests of a step share them."""
    return sorted({*range(vocab_size)} - {*dropped})


def reading_params() -> Any:
    """What makes vLLM read a prompt and say how likely its tokens are."""
    from vllm import SamplingParams  # noqa: PLC0415 - see vllm_problem
    from vllm.sampling_params import RequestOutputKind  # noqa: PLC0415

    return SamplingParams(
        temperature=0.0,
        max_tokens=1,
        prompt_logprobs=0,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def prompt_logprobs_of(output: Any, token_ids: Sequence[int]) -> list[float]:
    """Of each token of a prompt that was read but the first."""
    entries = (output.prompt_logprobs or [])[1:]
    pairs = zip(entries, token_ids[1:], strict=True)
    return [entry[token].logprob for entry, token in pairs if entry is not None]


def sampled_of(output: Any) -> Sampled:
    """Translate a finished request."""
    completion = output.outputs[0]
    ids = tuple(completion.token_ids)
    spans = completion.weight_versions or ()
    logprobs = tuple(
        entry[token].logprob for entry, token in zip(completion.logprobs or [], ids, strict=True)
    )
    return Sampled(
        ids=ids,
        logprobs=logprobs,
        text=completion.text,
        truncated=completion.finish_reason == "length",
        cached_tokens=output.num_cached_tokens or 0,
        versions=tuple(
            int(span.version) if span.version.isdecimal() else -1
            for span in spans
            for _ in range(span.start, span.end)
        ),
    )
