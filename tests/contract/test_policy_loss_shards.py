"""A vocabulary split over two processes gives what one process gives."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

RANK = """
import sys, torch, torch.distributed as dist
from azr.loss import VocabShard, differentiable_logprobs, policy_loss
from azr.loss_config import LossConfig

rank, port, kind = int(sys.argv[1]), sys.argv[2], sys.argv[3]
dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
torch.manual_seed(0)
T, H, V, cut = 40, 24, 500, 210
hidden, weight = torch.randn(T, H), torch.randn(V, H)
targets = torch.randint(0, V, (T,))
log_p = (hidden @ weight.T).log_softmax(-1)
old = log_p[torch.arange(T), targets] + 0.1 * torch.randn(T)
tokens = (targets, old, torch.randn(T), torch.arange(T) % 5 != 0)
ids = torch.arange(T) // 8
config = LossConfig(loss=kind, entropy_coef=0.1, clip_low=0.5, clip_high=0.5)

def gradients(weight, shard):
    leaves = [hidden.clone().requires_grad_(), weight.clone().requires_grad_()]
    loss, _ = policy_loss(*leaves, *tokens, sequence_ids=ids, shard=shard, config=config)
    loss.backward()
    return [loss.detach(), *(leaf.grad for leaf in leaves)]

own = slice(0, cut) if rank == 0 else slice(cut, V)
loss, grad_hidden, grad_weight = gradients(weight[own], VocabShard(start=own.start))
whole = gradients(weight, None)
torch.testing.assert_close(loss, whole[0])
torch.testing.assert_close(grad_hidden, whole[1], rtol=1e-4, atol=1e-7)
torch.testing.assert_close(grad_weight, whole[2][own], rtol=1e-4, atol=1e-7)
dist.destroy_process_group()
"""


@pytest.mark.parametrize("kind", ["ppo", "gspo"])
def test_two_shards_agree_with_the_whole_vocabulary(kind):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(rank), port, kind],
            env=environment,
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], errors
