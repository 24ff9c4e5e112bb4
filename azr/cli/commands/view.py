"""The command line of `azr view`."""

import argparse
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from azr.errors import AzrError, ConfigError
from sandbox_wasm.http.tokens import read_token
from sandbox_wasm.places import place
from sandbox_wasm.wire.endpoints import url_of

__all__ = ["ADDRESS", "EXAMPLES", "add_arguments", "answer"]

ADDRESS = "127.0.0.1:8642"
TOKEN_VARIABLE = "AZR_VIEW_TOKEN"  # noqa: S105 - where it stands, not what it is

EXAMPLES = """\
examples:
  azr view                            the runs in runs/, at http://127.0.0.1:8642
  azr view /shared/runs               of another machine, through a shared disk
  azr view runs/demo                  one run alone
  azr view --bind 0.0.0.0:8642 --token-file token
                                      for other machines: the browser asks for a name (any) and a
                                      password (the token); put TLS in front of it

It reads, and writes and locks nothing. Ctrl-C ends it; the runs go on.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All but the configuration: there is none."""
    parser.add_argument(
        "folder", nargs="?", type=place, default=Path("runs"), metavar="RUNS_FOLDER",
        help="holds the runs (default: runs)",
    )  # fmt: skip
    parser.add_argument(
        "--bind", default=ADDRESS, metavar="HOST:PORT", help=f"default: {ADDRESS}; port * for any"
    )
    text = f"a token that whoever looks must have (or ${TOKEN_VARIABLE}); needed off loopback"
    parser.add_argument("--token-file", type=place, metavar="FILE", help=text)


def answer(arguments: argparse.Namespace, say: Callable[[str], None]) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        AzrError: A package is missing.
        ConfigError: The folder cannot be read, or the address cannot be served.
    """
    try:
        from azr.report.view.server import bound, serve
        from azr.report.view.shelf import refuse_unreadable
    except ModuleNotFoundError as error:
        raise AzrError(
            f"azr view needs {error.name}, which is not installed: pip install 'azr[view]'"
        ) from error
    refuse_unreadable(arguments.folder)
    try:
        token = read_token(arguments.token_file, TOKEN_VARIABLE)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    with closing(bound(arguments.bind, token)) as listener:
        url = url_of(listener, "http")
        say(f"azr view: {arguments.folder} at {url} (Ctrl-C ends it, not the runs)")
        serve(arguments.folder, listener, token)
