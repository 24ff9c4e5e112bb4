"""`python -m sandbox_wasm.cli`: as the command azr-sandbox."""

import sys

from sandbox_wasm.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
