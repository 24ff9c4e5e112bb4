#!/usr/bin/env bash
# The executor under sanitizers: a fuzz of what it reads, then sandbox tests on a sanitized _pool.
#
#   scripts/sanitize.sh asan     AddressSanitizer and UndefinedBehaviorSanitizer
#   scripts/sanitize.sh tsan     ThreadSanitizer; no fuzz, which has one thread
#
#   AZR_FUZZ_SECONDS   for each of two seeds: a fixed one, and one of this second's (default 8)
#   AZR_FUZZ_SEED      the second seed, to repeat a run
#   PYTEST_ARGS        other tests instead of the selection below
#
# The sanitized module is built in build/asan or build/tsan and is never installed.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
kind=${1:?usage: scripts/sanitize.sh asan|tsan}
python=$root/${VENV:-.venv}/bin/python
site=$("$python" -c 'import sys; print(*(p for p in sys.path if "site-packages" in p), sep=":")')
export PATH=$root/${VENV:-.venv}/bin:$PATH

case $kind in
  asan)
    libraries=(libasan.so libstdc++.so) fuzz=ON
    tests="tests/unit/test_literals.py tests/unit/test_sandbox_wasm_binary.py
      tests/guest/test_sandbox.py tests/guest/test_threads.py tests/guest/test_sessions.py
      tests/hostile/test_forged_sessions.py tests/hostile/test_hostile.py"
    ;;
  tsan)
    libraries=(libtsan.so libstdc++.so) fuzz=OFF
    tests="tests/guest/test_sandbox.py tests/guest/test_threads.py"
    ;;
  *)
    echo "sanitize: error: unknown sanitizer: $kind (allowed: asan, tsan)" >&2
    exit 2
    ;;
esac

echo "==> building build/$kind" >&2
CMAKE_PREFIX_PATH=$("$python" -m pybind11 --cmakedir) cmake --preset "$kind" \
  -DPython_EXECUTABLE="$python" -DCMAKE_CXX_COMPILER=g++ -DAZR_BUILD_LOSS=OFF \
  -DAZR_BUILD_FUZZ=$fuzz >/dev/null
cmake --build "build/$kind" >/dev/null

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

if [[ $fuzz == ON ]]; then
  seed=${AZR_FUZZ_SEED:-$(date +%s)}
  for one in 1 "$seed"; do
    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 "build/$kind/azr_fuzz" "${AZR_FUZZ_SECONDS:-8}" "$one"
  done
fi

mkdir "$folder/sandbox_wasm"
ln -s "$root"/sandbox_wasm/* "$folder/sandbox_wasm/"
rm -rf "$folder/sandbox_wasm/__pycache__"
ln -sf "$root/build/$kind"/_pool.*.so "$folder/sandbox_wasm/"
ln -s "$root/azr" "$root/tests" "$folder/"

# Reports go to files: pytest would capture them, and lose them with the process.
# Wasmtime turns the signals of guests that trap into traps: they are its own, not faults. Its
# handler jumps out of the signal, after which TSan believes the thread to be in it for ever:
# report_signal_unsafe=0. CPython does not free all it has at its end: detect_leaks=0.
common=log_path=$folder/report:allow_user_segv_handler=1:handle_segv=0:handle_sigill=0
common+=:handle_sigfpe=0:handle_sigbus=0
export ASAN_OPTIONS=$common:detect_leaks=0:use_sigaltstack=0
export UBSAN_OPTIONS=$common:halt_on_error=1:print_stacktrace=1
export TSAN_OPTIONS=$common:report_signal_unsafe=0:second_deadlock_stack=1

preload=
for library in "${libraries[@]}"; do preload+="$(g++ -print-file-name="$library") "; done
# -S: the editable install's import hook would win over the path. -P: so would this folder.
sanitized() { LD_PRELOAD=$preload PYTHONPATH=$folder:$site "$python" -S -P "$@"; }
loaded=$(sanitized -c 'import sandbox_wasm._pool as pool; print(pool.__file__)')
if [[ $loaded != "$folder"/* ]]; then
  echo "sanitize: error: the tests would use $loaded, not build/$kind" >&2
  exit 1
fi

echo "==> sandbox tests under $kind" >&2
read -ra arguments <<<"${PYTEST_ARGS:-${tests//$'\n'/ }}"
status=0
sanitized -m pytest -q -p no:cacheprovider "${arguments[@]}" || status=$?
for report in "$folder"/report.*; do
  [[ -e $report ]] || continue
  cat "$report" >&2
  echo "sanitize: error: $kind reported a fault" >&2
  status=1
done
exit "$status"
