#!/usr/bin/env bash
# The hand-written stubs of the native modules against the modules themselves.
#
# Run from an empty folder: in the repository root the source tree would shadow the installed
# packages, and mypy would look for modules that are not there.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
python=$root/${VENV:-.venv}/bin/python
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"$python" -m mypy.stubtest --ignore-disjoint-bases --allowlist "$root/scripts/stubtest-allow.txt" \
  sandbox_wasm._pool azr._loss
