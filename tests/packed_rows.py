"""What stands in a packed micro-batch, read back for tests."""

from collections.abc import Iterator

from azr.learner.packing import MicroBatch


def unpack(batch: MicroBatch) -> Iterator[tuple[list[int], list[int]]]:
    """Prompt and completion ids of each rollout; the inverse of `pack`."""
    sequence = 0
    for tree, ids in zip(
        batch.trees, batch.input_ids.split([tree.num_tokens for tree in batch.trees]), strict=True
    ):
        for _ in tree.branches or (0,):
            completion = batch.targets[batch.sequence_ids == sequence].tolist()
            num_prompt = tree.stem if tree.branches else len(ids) + 1 - len(completion)
            yield ids[:num_prompt].tolist(), completion
            sequence += 1
