r"""What an answer claims, compared with the gold: as many answers, and no chain or part.

math-verify takes the last thing it can read for the answer: in `17 \lor 18` or `3 = 18` it reads
18. So this module decides what math-verify gets: pairs of single expressions, all of which must be
equal.
"""

import re
from collections.abc import Iterator

from azr.evaluation.maths.spelling import plain_latex, same_text, without_groups
from azr.evaluation.maths.units import split_unit

__all__ = ["Undecidable", "pairs_to_compare"]

ARROWS = frozenset(
    re.findall(
        r"\S+",
        r"\Leftrightarrow \Longrightarrow \Rightarrow \because \cdots \dots \dotsc \equiv \iff "
        r"\implies \land \ldots \lor \mapsto \mid \mp \ne \neq \parallel \quad \sim \therefore \to "
        r"\vee \wedge",
    )
)
ORDERS = (r"\le", r"\ge", r"\lt", r"\gt", "<", ">", r"\in", r"\subset", r"\subseteq")
COMMAND = re.compile(r"\\[a-zA-Z]+|[<>]|->|=>|\.\.\.|:")
TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")
CONSTANTS = frozenset(
    re.findall(
        r"\S+",
        r"\, \approx \arccos \arcsin \arctan \begin \binom \bmod \cap \cdot \circ \cos \cosh \cot "
        r"\csc \cup \degree \div \emptyset \end \exp \frac \ge \gt \hline \in \infty \int \lceil "
        r"\le \left \lfloor \ln \log \lt \mathbb \mathbf \max \min \mod \operatorname \overline "
        r"\pi \pm \pmod \prod \rceil \rfloor \right \sec \setminus \sin \sinh \sqrt \sum \tan "
        r"\tanh \text \times \varnothing \vec",
    )
)
WORDS = frozenset(
    re.findall(
        r"\S+",
        r"array bmatrix cos e exp i ln log matrix pi pmatrix sin sqrt tan vmatrix",
    )
)
ALTERNATIVES = re.compile(
    r"\\text\s*\{\s*,?\s*(?:or|and)\s*\}|(?<![a-zA-Z\\])(?:or|and)(?![a-zA-Z])|;"
)


class Undecidable(Exception):  # noqa: N818 - no error: a gold that no rule can compare
    """The gold mixes maths and words, and the answer is not its exact text."""


def pairs_to_compare(gold: str, answer: str, statement: str = "") -> bool | list[tuple[str, str]]:
    """Return whether the answer is right, or (gold, answer) pairs that must all be equal.

    Raises:
        Undecidable: Nobody can tell.
    """
    right, given = plain_latex(gold), plain_latex(answer)
    if not given or not right:
        return False
    by_text = decided_by_text(right, given, statement)
    if by_text is not None:
        return by_text
    percent = r"\%" in gold or "percent" in statement or "%" in statement
    golds, answers = (list(single(part, percent=percent)) for part in (right, given))
    if sum(map(weight, golds)) != sum(map(weight, answers)):
        return False
    if len(golds) == 1 == len(answers):
        return pairs_of_one(golds[0], answers[0])
    if any(len(sides(part)) > 1 and not is_name(sides(part)[0]) for part in answers):
        return False
    return [(", ".join(map(value_of, golds)), ", ".join(map(value_of, answers)))]


def decided_by_text(gold: str, answer: str, statement: str) -> bool | None:
    """What the texts alone decide; None where values have to be compared."""
    if same_text(gold, answer) and not names_differ(gold, answer):
        return True
    if is_copied(answer, statement) or names_differ(gold, answer):
        return False
    if same_text(without_name(gold), without_name(answer)):
        return True
    if is_worded(gold):
        if re.search(r"\d|\\(?!text)|[=+^]", gold):
            raise Undecidable(f"a gold of words and formulas: {gold[:60]}")
        return same_text(letter_of(gold), letter_of(answer))
    return False if other_signs(gold) != other_signs(answer) else None


def pairs_of_one(gold: str, answer: str) -> bool | list[tuple[str, str]]:
    """One expression against one: names before `=` fall away, what remains must all be equal."""
    golds, answers = sides(gold), sides(answer)
    if len(golds) == 2 and not is_symbol(golds[0]):
        return [(gold, answer)] if len(answers) == 2 else False
    claimed = answers[1:] if len(answers) > 1 and is_name(answers[0]) else answers
    (right, unit), given = split_unit(golds[-1]), [split_unit(side) for side in claimed]
    if unit and any(name and name != unit for _, name in given):
        return False
    if any(letters(right) != letters(side) for side, _ in given):
        return False
    return [(whole(right), whole(without_groups(side))) for side, _ in given]


PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:\\?%|(?:\\text\s*\{)?\s*percent\s*\}?)")


def whole(text: str) -> str:
    r"""Ended so that its last letter stays: math-verify drops `t`, `m`, `d` and others as units."""
    return rf"{text} \cdot 1" if re.search(r"(?<![a-zA-Z\\])[a-zA-Z]$", text) else text


def single(text: str, *, percent: bool) -> Iterator[str]:
    """The expressions of a list or of a set; a list of thousands is a number."""
    text = ALTERNATIVES.sub(" , ", text.replace(r"\approx", "="))
    text = PERCENT.sub(r"\1" if percent else r"\\frac{\1}{100}", text)
    text = text.strip().removeprefix("=").strip()
    if text.startswith(r"\{") and text.endswith(r"\}") and text.count(r"\{") == 1:
        text = text[2:-2]
    elif re.search(r"^[-+]?\d{1,3}(?:,\d{3})+(?!\d|,)", text):
        text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    depth, start = 0, 0
    for token in re.finditer(r"\\[{}]|[(){}\[\],]|\\begin|\\end", text):
        mark = token.group()
        if mark == "," and depth <= 0:
            if part := text[start : token.start()].strip():
                yield part
            start = token.end()
        else:
            depth += {",": 0, r"\begin": 1, r"\end": -1}.get(mark, 1 if mark[-1] in "({[" else -1)
    if text[start:].strip():
        yield text[start:].strip()


def weight(part: str) -> int:
    r"""How many answers it is: `\pm` is two."""
    return 2 if r"\pm" in part else 1


def value_of(part: str) -> str:
    """One of several answers without its name and its unit."""
    return split_unit(without_name(part))[0]


def without_name(text: str) -> str:
    """What stands behind `x =`."""
    found = sides(text)
    return found[1] if len(found) == 2 and is_symbol(found[0]) else text


def names_differ(gold: str, answer: str) -> bool:
    """Whether both give a value to a letter, and not to the same one."""
    golds, answers = sides(gold), sides(answer)
    if len(golds) != 2 or len(answers) != 2:
        return False
    one, other = (re.sub(r"[\s{}]", "", name[0]).casefold() for name in (golds, answers))
    return one != other and len(one) == 1 == len(other) and (one + other).isalpha()


def sides(text: str) -> list[str]:
    """What stands between signs of equality."""
    return [side.strip() for side in re.split(r"(?<![<>!:=])=(?!=)|\\approx", text)]


SYMBOL = re.compile(
    r"(?:\\[a-zA-Z]+|\\text\s*\{[^{}]*\}|[a-zA-Z]{1,12})'*(?:\s*[_^]\s*(?:\{[^{}]*\}|\w))*"
    r"(?:\s*\([^()]*\))?|\([a-zA-Z](?:\s*,\s*[a-zA-Z])*\)"
)


def is_symbol(side: str) -> bool:
    """Whether it is a letter, a word or a function of something, and no more."""
    return SYMBOL.fullmatch(side.strip()) is not None and side.strip() != r"\pi"


def is_name(side: str) -> bool:
    """Whether it names what was asked for: letters, and numbers only as indices and powers."""
    if is_symbol(side):
        return True
    plain = re.sub(r"[_^]\s*(?:\{[^{}]*\}|\w)|(?<=[a-zA-Z])\s*\([^()]*\)", "", side)
    return re.search(r"[a-zA-Z]", plain) is not None and re.search(r"\d|[<>,]", plain) is None


def other_signs(text: str) -> set[str]:
    """The arrows, connectives, dots, orders and colons in a text, of which a value has none."""
    spelt = {"->": r"\to", "=>": r"\Rightarrow", "...": r"\ldots"}
    signs: list[str] = COMMAND.findall(text)
    found = {spelt.get(sign, sign) for sign in signs}
    odd = {sign for sign in found if sign in ARROWS or sign in ORDERS or sign == ":"}
    if re.search(r"\d\s*_", text):
        odd.add("_")  # a base
    if re.fullmatch(r"[\d.]+(?:\s+[\d.]+)+", text) and text == without_groups(text):
        odd.add(" ")
    return odd


def is_worded(gold: str) -> bool:
    """Whether words are part of the gold: what math-verify makes of it would be a part."""
    value = split_unit(gold)[0]
    if any(mark in gold for mark in (r"\ldots", r"\cdots", r"\dots", "...", ":", r"\mho")):
        return True
    texts = [text.strip(" .,()") for text in TEXT.findall(value)]
    if any(text not in ("", "or", "and") for text in texts):
        return True
    plain = re.sub(r"\\[a-zA-Z]+|[_^]\s*\{[^{}]*\}", " ", TEXT.sub(" ", value))
    words = [word for word in re.findall(r"[a-zA-Z]{3,}", plain) if word not in WORDS]
    return any(word.casefold() not in ("gcd", "lcm", "mod") for word in words)


def letters(text: str) -> set[str]:
    """The variables of an expression."""
    commands = {c for c in re.findall(r"\\[a-zA-Z]+", text) if c not in CONSTANTS}
    plain = re.sub(r"\\(?:begin|end)\{\w+\}|\\[a-zA-Z]+", " ", text)
    return commands | set(re.findall(r"[a-df-hj-zA-Z]", plain))


def letter_of(text: str) -> str:
    r"""The letter of a choice: of `(B)`, `\text{(B)}`, `B.`, `Option B`; else the words."""
    plain = TEXT.sub(r"\1", text).strip()
    found = re.fullmatch(
        r"(?:option|choice|answer)?\s*\(?\s*([A-Z])\s*[).:]?", plain, re.IGNORECASE
    )
    return found[1].upper() if found else re.sub(r"[\s.]+", "", plain).casefold()


def is_copied(answer: str, statement: str) -> bool:
    """Whether the answer is a formula of the problem, still to be worked out."""
    if not statement or not re.search(r"[-+*^=]|\\[a-zA-Z]{3,}", answer.lstrip("-+")):
        return False
    if re.fullmatch(r"-?\\frac\s*\{?-?\d+\}?\s*\{?\d+\}?", answer):
        return False
    squeezed = re.sub(r"[\s{}]|\\text", "", plain_latex(answer))
    formulas = re.findall(r"\$+([^$]+)\$+|\\\[(.+?)\\\]|\\\((.+?)\\\)", statement, re.DOTALL)
    return any(squeezed == re.sub(r"[\s{}]|\\text", "", plain_latex("".join(f))) for f in formulas)
