r"""Answers made from a gold answer: the same one in another spelling, and others that are wrong."""

import re
from collections.abc import Iterator

__all__ = ["copied", "respelt", "wrong"]

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def respelt(gold: str) -> Iterator[tuple[str, str]]:
    """What is still right, by kind."""
    yield "itself", gold
    yield "bold", f"**{gold.strip()}**"
    yield "with a stop", f"{gold.strip().rstrip('.')}."
    if "$" not in gold:
        yield "a formula", f"${gold.strip()}$"
        yield "in parentheses of LaTeX", rf"\({gold.strip()}\)"
        yield "dfrac", gold.replace(r"\frac", r"\dfrac")
        yield "without left and right", gold.replace(r"\left", "").replace(r"\right", "")
    if NUMBER.fullmatch(gold):
        yield "a noun", f"{gold} apples"
        yield "a unit", rf"{gold}\text{{ cm}}"
        yield "a name", f"x = {gold}"
        if "." not in gold:
            yield "a decimal", f"{gold}.0"
            yield "groups", f"{int(gold):,}"


def wrong(gold: str) -> Iterator[tuple[str, str]]:
    """What is not right, by kind."""
    plain = gold.replace("$", "").strip().rstrip(".")
    yield "an arrow", rf"7919 \to {plain}"
    yield "an implication", rf"7919 \Rightarrow {plain}"
    yield "either", rf"7919 \lor {plain}"
    yield "or", rf"7919 \text{{ or }} {plain}"
    yield "two answers", f"7919, {plain}"
    if "=" not in plain:
        yield "a false chain", f"7919 = {plain}"
    yield "more", f"{plain} + 7919"
    yield (
        "another number",
        NUMBER.sub(lambda m: f"{m.group()}7", plain, count=1)
        + ("" if NUMBER.search(plain) else " + 1"),
    )
    parts = [part.strip() for part in plain.split(",")]
    if len(parts) > 1 and not re.search(r"\d,\d{3}", plain):
        yield "the last part", parts[-1]
        yield "the first part", parts[0]
    yield "nothing", ""
    yield "zero's neighbour", "7919"


def copied(statement: str) -> Iterator[str]:
    """The problem's last formula, unless it is only a number or a name."""
    found = re.findall(r"\$([^$]+)\$", statement)
    if found and re.search(r"[-+*^=]|\\[a-z]{3}", found[-1]):
        yield found[-1]
