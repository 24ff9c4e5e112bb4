"""What deploy/ asks of the server exists: its flags, its paths, its token's variable."""

import argparse
import re
from pathlib import Path

import pytest

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
