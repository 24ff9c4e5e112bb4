"""Python text cut into pieces that the page colours; nothing is lost, added or parsed as HTML."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import ClassVar

from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String

from azr.report.html.contract import Code

__all__ = ["python"]

ROOT = PythonLexer.tokens["root"]
DOCSTRING = r"^(\s*)"
"""How the rules begin that tell docstrings from other strings: quadratic in blank lines."""


class Lexer(PythonLexer):
    """Pygments' own, in time that grows with the text alone: a model may write blank lines only."""

    tokens: ClassVar = {
        **PythonLexer.tokens,
        "root": [r for r in ROOT if not str(r[0]).startswith(DOCSTRING)],
    }


LEXER = Lexer()
STYLES = (
    (Comment, "com"),
    (String, "str"),
    (Number, "n"),
    (Keyword, "kw"),
    (Operator.Word, "kw"),
    (Name.Function, "fn"),
    (Name.Class, "fn"),
    (Name.Builtin, "bi"),
)
"""Kinds of tokens and the class of style.css they get; all others stay plain."""


@lru_cache(maxsize=4096)
def python(text: str) -> Code:
    """The text's pieces. Joined they are the text, whether it is Python or not."""
    tokens = [
        (next((style for family, style in STYLES if kind in family), ""), piece)
        for _, kind, piece in LEXER.get_tokens_unprocessed(text)
    ]
    return [
        (style, "".join(piece for _, piece in same))
        for style, same in groupby(tokens, key=itemgetter(0))
    ]
