"""What all policies do alike: prompts become requests, completions rollouts; both are counted."""

from abc import ABC, abstractmethod
from collections.abc import Callable

from azr.config.run import RolloutConfig
from azr.ports import Policy, Weights
from azr.rollout.prompt_tokens import Renderer
from azr.rollout.requests import Request, Sampled
from azr.rollout.statistics import Tally
from azr.types import Prompt, Rollout

__all__ = ["AskingPolicy"]


class AskingPolicy(Policy, ABC):
    """The half of ports.Policy that knows no engine.

    Args:
        renderer: The model's.
        config: Sampling.
        max_model_len: Tokens of a prompt and its completion together.
    """

    def __init__(self, renderer: Renderer, config: RolloutConfig, max_model_len: int) -> None:
        self.watch: Callable[[Rollout], None] = lambda _: None
        """Told of every rollout as it comes to be, on the caller's event loop."""
        self._renderer = renderer
        self._config = config
        self._max_model_len = max_model_len
        self._tally = Tally()

    def count_tokens(self, text: str) -> int:
        """How many tokens a text has."""
        return self._renderer.count_tokens(text)

    def stats(self) -> dict[str, float]:
        """What happened since the last call: `rollout/...` and `sync/...`."""
        return self._tally.take()

    @abstractmethod
    async def sample(self, prompt: Prompt) -> Rollout:
        """Complete the prompt once; many calls may be under way at the same time."""

    @abstractmethod
    async def adopt(self, weights: Weights, version: int) -> None:
        """Take over the learner's newest weights and prove it; later rollouts carry `version`."""

    @abstractmethod
    def close(self) -> None:
        """Give back the engine's memory and threads."""

    def _request(self, prompt: Prompt) -> tuple[Prompt, Request]:
        """What the engine is asked for, and the prompt as the completion's reader sees it.

        Raises:
            ModelError: The prompt is too long.
        """
        prompt_ids = self._renderer.ids(prompt)
        prompt = self._renderer.as_read(prompt)
        room = min(self._max_model_len - len(prompt_ids), self._config.max_completion_tokens)
        wanted = prompt.temperature
        request = Request(
            prompt_ids=prompt_ids,
            max_tokens=room if prompt.max_tokens is None else min(prompt.max_tokens, room),
            seed=prompt.seed,
            temperature=self._config.temperature if wanted is None else wanted,
            stop=prompt.stop,
            priority=prompt.priority,
            dropped=()
            if prompt.dropout is None
            else self._renderer.vocabulary.without(prompt.dropout),
        )
        return prompt, request

    def _rollout(self, prompt: Prompt, request: Request, sampled: Sampled, version: int) -> Rollout:
        """`version` is that of all tokens where the engine says nothing else."""
        self._tally.count(request, sampled)
        versions = () if min(sampled.versions, default=-1) < 0 else sampled.versions
        return Rollout(
            prompt=prompt,
            prompt_ids=request.prompt_ids,
            completion_ids=sampled.ids,
            rollout_logprobs=sampled.logprobs,
            completion=sampled.text,
            policy_version=min(versions, default=version),
            truncated=sampled.truncated,
            versions=versions if len(set(versions)) > 1 else (),
            dropped=request.dropped,
        )
