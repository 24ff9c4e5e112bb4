#!/usr/bin/env bash
# Runs trainers' own code against the sandbox: their HTTP clients, and TRL's trainer. They are packages of
# others, in an environment of their own (build/adapters). verl, tinker-cookbook and TRL come without their
# dependencies (ray, torch); TRL finds torch, transformers and the sandbox in .venv, by a path at the end.
set -euo pipefail
cd "$(dirname "$0")/.."

OURS=${VENV:-.venv}/bin/python
ENV=build/adapters
[[ -x $ENV/bin/python ]] || "$OURS" -m venv "$ENV"
pip() { "$ENV/bin/python" -m pip --disable-pip-version-check install -q "$@"; }

pip sandbox-fusion==0.3.7 aiohttp fastmcp fastapi uvicorn websockets datasets==5.2.0 -c constraints.txt
pip --no-deps verl==0.9.1 tinker-cookbook==0.6.1 openenv-core==0.3.0 trl==1.16.0
purelib='import sysconfig; print(sysconfig.get_path("purelib"))'
echo "import site; site.addsitedir('$("$OURS" -c "$purelib")')" >"$("$ENV/bin/python" -c "$purelib")/azr.pth"
AZR_ADAPTERS_PYTHON=$ENV/bin/python "$OURS" -m pytest \
  tests/contract/test_http_real_clients.py tests/contract/test_trl_real.py "$@"
