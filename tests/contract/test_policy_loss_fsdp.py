"""A head split over two processes gives what one process gives."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

FSDP = """
import copy, sys, torch, torch.distributed as dist
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers import LlamaConfig, LlamaForCausalLM
from azr.learner.loss import count, head_tensors, policy_loss
from azr.config.loss import LossConfig

V, B, L = 259, 4, 12  # words, not divisible by the ranks; sequences, of which each rank has half

def check(kind):
    torch.manual_seed(0)
    config = LossConfig(loss=kind, entropy_coef=0.1, clip_low=0.5, clip_high=0.5)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=V, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=False,
        initializer_range=0.3,
    ))
    model.lm_head.bias = torch.nn.Parameter(torch.randn(V))
    whole = copy.deepcopy(model)
    for part in (*model.model.layers, model.model, model.lm_head):
        fully_shard(part)
        part.set_gradient_divide_factor(1.0)  # sums, as the loss's counts are of all ranks
        part.set_force_sum_reduction_for_comms(True)  # gloo cannot divide while it sums
    words = torch.randint(0, V, (B, L))
    old, advantages = -5 + torch.randn(B * L), torch.randn(B * L)
    mask = torch.rand(B * L) > 0.3
    ids = torch.arange(B * L) // L
    counts = count(mask, sequence_ids=ids, config=config)

    def loss_of(model, sequences):
        rows = slice(sequences.start * L, sequences.stop * L)
        hidden = model.model(input_ids=words[sequences]).last_hidden_state.flatten(0, 1)
        weight, bias = head_tensors(model.lm_head)
        return policy_loss(
            hidden, weight, words[sequences].roll(-1, 1).flatten(), old[rows], advantages[rows],
            mask[rows], sequence_ids=ids[rows], bias=bias, normalizer=counts, config=config,
        )[0]

    expected = loss_of(whole, slice(0, B))
    expected.backward()
    half = slice(0, B // 2) if rank == 0 else slice(B // 2, B)
    assert isinstance(head_tensors(model.lm_head)[0], DTensor)
    for times in (1, 2):  # the second is added to the first
        loss = loss_of(model, half)
        loss.backward()
        total = loss.detach().clone()
        dist.all_reduce(total)
        torch.testing.assert_close(total, expected.detach())
        pairs = zip(model.named_parameters(), whole.parameters(), strict=True)
        for (name, sharded), plain in pairs:
            assert isinstance(sharded.grad, DTensor), name
            assert sharded.grad.placements == sharded.placements, name
            torch.testing.assert_close(
                sharded.grad.full_tensor(), times * plain.grad, rtol=1e-4, atol=1e-6, msg=name
            )

rank, port = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
for kind in ("ppo", "gspo"):
    check(kind)
dist.destroy_process_group()
"""


@pytest.mark.slow
def test_a_head_of_fsdp2_gives_every_parameter_its_gradient():
    """Weight and bias read outside their FSDP module, where they are DTensors."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", FSDP, str(rank), port],
            env=environment,
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=240)[1] for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], errors
