"""What a cluster cannot be is said in one line, before anything is loaded."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from azr.cluster import joining, nodes, placement
from azr.cluster.learners import bare
from azr.config.loading import load
from azr.config.run import ClusterConfig
from azr.errors import ConfigError
from azr.learner.packing import Sampling, Sequence1
from azr.types import Mode, Prompt, Role, Rollout

CLUSTER = ClusterConfig(learners=4, engines=2, tensor_parallel=2)


@pytest.mark.parametrize(
    ("gpus", "words"),
    [
        ([4, 3], r"= 4 \+ 2 x 2 = 8 GPUs, but the cluster has 7: lower one of them, or add nodes"),
        ([1] * 8, r"tensor_parallel = 2, but no node has more than 1 GPUs"),
    ],
)
def test_more_actors_than_gpus_are_refused(gpus: list[int], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        placement.check_gpus(CLUSTER, gpus)
    placement.check_gpus(CLUSTER, [4, 4])


def test_a_name_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="nobody answers there"):
        joining.refuse_silence("node..1:6379")


def test_an_address_nobody_answers_is_refused_at_once() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(ConfigError, match=rf"cluster\.address = '{address}': nobody answers there"):
        joining.refuse_silence(address)


def test_who_answers_and_is_not_ray_is_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad request\r\n\r\n")

        other = threading.Thread(target=serve)
        other.start()
        with pytest.raises(ConfigError, match="what answers there is not Ray"):
            joining.refuse_silence(f"127.0.0.1:{server.getsockname()[1]}")
        other.join()


@pytest.mark.parametrize("address", ["somewhere", "host:", ":6379", "host:six"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="must be HOST:PORT, or empty"):
        joining.refuse_silence(address)


def test_nodes_that_differ_are_refused_by_name() -> None:
    here = {"azr": "0.1.0", "torch": "2.13.0"}
    nodes.refuse("b", here, dict(here), [])
    with pytest.raises(ConfigError, match=r"node b has torch 2\.12\.0, this one 2\.13\.0"):
        nodes.refuse("b", here, {**here, "torch": "2.12.0"}, [])
    with pytest.raises(ConfigError, match=r"node b has vllm none, this one 0\.32\.0"):
        nodes.refuse("b", {**here, "vllm": "0.32.0"}, here, [])
    with pytest.raises(ConfigError, match=r"node b does not see /runs/x: .* all nodes share"):
        nodes.refuse("b", here, dict(here), ["/runs/x"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"learners": "2"}, "a cluster has one of each at least"),
        ({"engines": "2"}, "a cluster has one of each at least"),
        (
            {"learners": "-1", "engines": "1"},
            r"cluster\.learners must be a whole number, at least 0",
        ),
        ({"tensor_parallel": "0"}, r"cluster\.tensor_parallel must be a whole number, at least 1"),
        ({"processes": "8"}, r"write cluster\.learners = N and cluster\.engines = M"),
    ],
)
def test_settings_that_make_no_cluster_are_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load([], [(f"cluster.{name}", value) for name, value in settings.items()])


WITHOUT_RAY = """
import sys
sys.modules["ray"] = None
from azr.cli.main import main
cluster = ["--cluster.learners", "1", "--cluster.engines", "1"]
sys.exit(main(["train", *cluster, "--runs", sys.argv[1], "--model.name", sys.argv[2]]))
"""


def test_without_ray_one_line_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RAY, str(tmp_path / "runs"), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Ray, which is not installed: pip install 'azr[cluster]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_of_one_process_imports_no_ray() -> None:
    code = "import sys, azr.run.session; sys.exit('ray' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_learners_are_told_how_a_rollout_was_sampled_and_no_texts() -> None:
    prompt = Prompt(role=Role.SOLVER, mode=Mode.DEDUCTION, text="f(1)?", temperature=1.2)
    rollout = Rollout(
        prompt=prompt,
        prompt_ids=(1, 2),
        completion_ids=(3,),
        rollout_logprobs=(-1.0,),
        completion="2",
        policy_version=4,
        dropped=(7, 8),
    )
    [sent] = bare([Sequence1(rollout, 0.5, "solver/deduction")])
    assert sent.sampling == Sampling(temperature=1.2, dropped=(7, 8))
    assert (sent.advantage, sent.stream) == (0.5, "solver/deduction")
    assert (sent.rollout.prompt.text, sent.rollout.completion) == ("", "")
