#!/usr/bin/env bash
# Runs trainers' own HTTP clients against the server. They are packages of others, in an environment
# of their own (build/adapters); verl and tinker-cookbook come without their dependencies (ray, torch).
set -euo pipefail
cd "$(dirname "$0")/.."

ENV=build/adapters
[[ -x $ENV/bin/python ]] || "${VENV:-.venv}/bin/python" -m venv "$ENV"
"$ENV/bin/python" -m pip install -q sandbox-fusion==0.3.7 aiohttp fastmcp fastapi uvicorn websockets
"$ENV/bin/python" -m pip install -q --no-deps verl==0.9.1 tinker-cookbook==0.6.1 openenv-core==0.3.0
AZR_ADAPTERS_PYTHON=$ENV/bin/python "${VENV:-.venv}/bin/python" -m pytest tests/contract/test_http_real_clients.py "$@"
