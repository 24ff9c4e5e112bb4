"""Sampling with plain transformers, where vLLM cannot be installed: correct, and slow.

Requests that arrive together form a cohort: one left-padded batch with one key-value cache, from
which finished rows are cut. Cohorts take turns, a token each.

B rows of a cohort, T positions, V words.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false
# (torch, transformers and vllm are typed in part)

from bisect import insort
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from azr.config.run import RolloutConfig
from azr.errors import ModelError, one_line
from azr.models.checksums import Receipt
from azr.models.weights import TorchWeights
from azr.rollout.requests import Request, Sampled

__all__ = ["TransformersEngine", "open_engine"]


def open_engine(
    folder: Path,
    config: RolloutConfig,
    *,
    tokenizer: Any,
    max_model_len: int,  # noqa: ARG001 - its cache grows
) -> "TransformersEngine":
    """Load the model: azr.rollout.opening.OpenEngine."""
    return TransformersEngine(folder, config, tokenizer)


@dataclass(slots=True, eq=False)
class Row:
    """A request under way."""

    key: int
    request: Request
    generator: torch.Generator
    ids: list[int] = field(default_factory=list[int])
    logprobs: list[float] = field(default_factory=list[float])
    versions: list[int] = field(default_factory=list[int])


@dataclass(slots=True)
class Cohort:
    """Rows that share a batch."""

    rows: list[Row]
    cache: Any
    attention: Tensor  # [B, T], 0 where padded
    next_ids: Tensor  # [B, 1], or [B, T] before the first step


class TransformersEngine:
    """azr.rollout.engine.Engine over a Hugging Face model with its own copy of the weights."""

    def __init__(self, folder: Path, config: RolloutConfig, tokenizer: Any) -> None:
        disable_progress_bar()  # the run has its own display
        self.is_exact = config.dtype == "float32"
        self.receipt: Receipt | None = None
        self._dtype = config.dtype
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=getattr(torch, config.dtype)
            )
        except Exception as error:  # transformers and safetensors raise anything on damaged files
            raise ModelError(
                f"{folder} cannot be read as a language model: {one_line(error)}"
            ) from error
        self._model = model.to(self._device).eval()
        self._tokenizer = tokenizer
        self._ends = end_ids(model, tokenizer)
        self._max_concurrent = config.max_concurrent
        self._waiting: list[Row] = []
        self._version = -1
        self._cohorts: deque[Cohort] = deque()

    @property
    def num_running(self) -> int:
        """Requests added and neither finished nor aborted."""
        return len(self._waiting) + self._num_computing

    @property
    def _num_computing(self) -> int:
        return sum(len(cohort.rows) for cohort in self._cohorts)

    def add(self, key: int, request: Request) -> None:
        """Take on a request."""
        generator = torch.Generator().manual_seed(request.seed)
        insort(self._waiting, Row(key, request, generator), key=lambda row: row.request.priority)

    @torch.inference_mode()
    def step(self) -> list[tuple[int, Sampled]]:
        """Compute once for one cohort; return those that finished."""
        room = self._max_concurrent - self._num_computing
        rows, self._waiting = self._waiting[:room], self._waiting[room:]
        if rows:
            return self._advance(self._form(rows))
        if self._cohorts:
            return self._advance(self._cohorts.popleft())
        return []

    @torch.inference_mode()
    def abort(self, keys: Iterable[int]) -> None:
        """Drop requests; unknown keys are ignored."""
        gone = set(keys)
        self._waiting = [row for row in self._waiting if row.key not in gone]
        for cohort in list(self._cohorts):
            if any(row.key in gone for row in cohort.rows):
                self._cohorts.remove(cohort)
                keep = [i for i, row in enumerate(cohort.rows) if row.key not in gone]
                if keep:
                    self._cohorts.append(cut(cohort, keep))

    @torch.no_grad()
    def load(self, weights: TorchWeights, version: int) -> None:
        """Replace all weights; what is under way keeps the keys and values of the old ones."""
        self.receipt = None
        mine = dict(self._model.named_parameters())
        for name, value in weights.named_parameters():
            mine.pop(name).copy_(value)
        if mine:
            raise ModelError(f"the learner gave no weights for {', '.join(mine)}")
        self._version = version
        # of what it holds now, not of what came
        self.receipt = Receipt(version, TorchWeights(self._model).checksums(self._dtype))

    @torch.inference_mode()
    def prompt_logprobs(self, token_ids: Sequence[int]) -> list[float]:
        """Log-probability of each token but the first, at temperature 1."""
        return TorchWeights(self._model).probe_logprobs(token_ids)

    def close(self) -> None:
        """Give back the weights and the caches."""
        self._cohorts.clear()
        self._waiting.clear()
        del self._model

    def _form(self, rows: list[Row]) -> Cohort:
        """Pad on the left, so that the last position of every row is the one to continue."""
        longest = max(len(row.request.prompt_ids) for row in rows)
        ids_BT = torch.zeros(len(rows), longest, dtype=torch.int64)
        attention = torch.zeros(len(rows), longest, dtype=torch.int64)
        for i, row in enumerate(rows):
            prompt = torch.tensor(row.request.prompt_ids)
            ids_BT[i, longest - len(prompt) :] = prompt
            attention[i, longest - len(prompt) :] = 1
        return Cohort(rows, None, attention.to(self._device), ids_BT.to(self._device))

    def _advance(self, cohort: Cohort) -> list[tuple[int, Sampled]]:
        """Sample one token for every row, and put the cohort back unless it is empty."""
        positions_BT = (cohort.attention.cumsum(-1) - 1).clamp(min=0)
        output = self._model(
            input_ids=cohort.next_ids,
            attention_mask=cohort.attention,
            position_ids=positions_BT[:, -cohort.next_ids.shape[1] :],
            past_key_values=cohort.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cohort.cache = output.past_key_values
        ids_B = draw(cohort.rows, output.logits[:, -1].float())
        for row in cohort.rows:
            row.versions.append(self._version)
        ended = [self._finish(row) for row in cohort.rows]
        finished = [
            (row.key, sampled)
            for row, sampled in zip(cohort.rows, ended, strict=True)
            if sampled is not None
        ]
        cohort.next_ids = ids_B[:, None]
        one = torch.ones_like(cohort.next_ids)
        cohort.attention = torch.cat([cohort.attention, one], dim=1)
        keep = [i for i, sampled in enumerate(ended) if sampled is None]
        if keep:
            self._cohorts.append(cohort if not finished else cut(cohort, keep))
        return finished

    def _finish(self, row: Row) -> Sampled | None:
        """The row's completion if its newest token was its last."""
        text: str = self._tokenizer.decode(row.ids, skip_special_tokens=True)
        cuts = [at for stop in row.request.stop if (at := text.find(stop)) >= 0]
        is_ended = bool(cuts) or row.ids[-1] in self._ends
        if not is_ended and len(row.ids) < row.request.max_tokens:
            return None
        return Sampled(
            ids=tuple(row.ids),
            logprobs=tuple(row.logprobs),
            text=text[: min(cuts)] if cuts else text,
            truncated=not is_ended,
            versions=tuple(row.versions),
        )


def draw(rows: list[Row], logits_BV: Tensor) -> Tensor:  # [B]
    """One token a row by inverting its distribution, from the row's own generator.

    At temperature 0 it is the likeliest token; log-probabilities are then those of temperature 1.
    """
    for row, logits_V in zip(rows, logits_BV, strict=True):
        logits_V[list(row.request.dropped)] = -torch.inf
    temperature_B1 = logits_BV.new_tensor([[row.request.temperature] for row in rows])
    is_greedy_B1 = temperature_B1 == 0
    logprobs_BV = torch.log_softmax(
        logits_BV / temperature_B1.masked_fill(is_greedy_B1, 1.0), dim=-1
    )
    # in float64, so that words of little weight are neither lost nor drawn too often
    cumulative_BV = logprobs_BV.double().exp().cumsum(-1)
    uniform_B1 = torch.stack(
        [torch.rand(1, generator=row.generator, dtype=torch.float64) for row in rows]
    ).to(logits_BV.device)
    below_B1 = uniform_B1 * cumulative_BV[:, -1:]
    ids_B1 = torch.searchsorted(cumulative_BV, below_B1, right=True)
    ids_B1 = ids_B1.clamp(max=logits_BV.shape[1] - 1)
    ids_B1 = torch.where(is_greedy_B1, logits_BV.argmax(dim=-1, keepdim=True), ids_B1)
    chosen_B = logprobs_BV.gather(1, ids_B1)[:, 0].tolist()
    for row, token, logprob in zip(rows, ids_B1[:, 0].tolist(), chosen_B, strict=True):
        row.ids.append(token)
        row.logprobs.append(logprob)
    return ids_B1[:, 0]


def cut(cohort: Cohort, keep: list[int]) -> Cohort:
    """The cohort with only these rows."""
    index = torch.tensor(keep, device=cohort.attention.device)
    if cohort.cache is not None:
        cohort.cache.batch_select_indices(index)
    return Cohort(
        [cohort.rows[i] for i in keep],
        cohort.cache,
        cohort.attention[index],
        cohort.next_ids[index],
    )


def end_ids(model: Any, tokenizer: Any) -> set[int]:
    """Tokens that end a completion: the generation config may name several."""
    named = model.generation_config.eos_token_id
    several: list[int] = named if isinstance(named, list) else [named]
    return {token for token in (*several, tokenizer.eos_token_id) if token is not None}
