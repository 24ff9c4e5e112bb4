"""What deploy/ asks for exists: the server's flags, paths and token; Ray's flags and azr's keys."""

import argparse
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.scripts.scripts import start
from ray.scripts.symmetric_run import symmetric_run

from azr.config.loading import load
from sandbox_wasm.cli.serve_arguments import add_serve_arguments
from sandbox_wasm.http.app import OPEN_PATHS
from sandbox_wasm.http.tokens import TOKEN_VARIABLE

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.mark.parametrize("name", ["kubernetes.yaml", "Containerfile", "azr-sandbox.service"])
def test_flags_of_serve_exist(name):
    parser = argparse.ArgumentParser()
    add_serve_arguments(parser)
    known = {flag for action in parser._actions for flag in action.option_strings}
    text = (DEPLOY / name).read_text()
    used = set(re.findall(r"(?<![\w-])--(?:bind|http|token|curve|metrics)[\w-]*", text))
    assert used, name
    assert used <= known, used - known


def test_kustomize_changes_what_is_there():
    deployed, custom = (
        (DEPLOY / f"{name}.yaml").read_text() for name in ("kubernetes", "kustomization")
    )
    (image,) = re.findall(r"\{name: ([\w-]+), newName", custom)
    (secret,) = re.findall(r"- name: ([\w-]+)\n    files: \[token\]", custom)
    assert f"image: {image}\n" in deployed
    assert f"secretKeyRef: {{name: {secret}, key: token}}" in deployed


def test_probes_ask_what_needs_no_token():
    text = (DEPLOY / "kubernetes.yaml").read_text()
    probes = re.findall(r"path: (/\w+), port: http", text)
    assert len(probes) == 3
    assert set(probes) <= OPEN_PATHS
    assert TOKEN_VARIABLE in text


def train_words(text: str) -> list[str]:
    """What follows `azr train`, to the end of the line."""
    [words] = re.findall(r"azr train (.*)", text)
    return words.split()


def test_flags_of_ray_in_the_batch_script_exist():
    text = (DEPLOY / "azr-train.sbatch").read_text()
    [command] = re.findall(r"symmetric-run(.*?) -- ", text, re.DOTALL)
    commands: list[Any] = [start, symmetric_run]
    known = {flag for one in commands for option in one.params for flag in option.opts}
    used = set(re.findall(r"--[\w-]+", command))
    assert {"--address", "--min-nodes"} <= used
    assert used <= known, used - known
    assert train_words(text) == ['"$@"', "--resume"]


def test_the_ray_job_is_of_its_schema_and_its_command_of_ours():
    job = yaml.safe_load((DEPLOY / "azr-train.rayjob.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    known = {option.name.replace("_", "-") for option in start.params}
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert set(group["rayStartParams"]) <= known
        pod = group["template"]["spec"]
        mounted = {m["name"] for c in pod["containers"] for m in c["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
    _, *words, last = train_words(job["spec"]["entrypoint"])
    assert last == "--resume"
    keys = [word.removeprefix("--") for word in words[::2]]
    config = load([], list(zip(keys, words[1::2], strict=True)))
    assert config.cluster.learners + config.cluster.engines == 8, "GPUs of one worker"
