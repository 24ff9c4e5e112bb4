"""Where each suite's public data set is on the Hugging Face hub, and how its columns become ours.

Revisions are commits, so that a figure stays about the same data. If no commit is known for sure,
the revision is `main`, and the results name the commit that was found. docs/evaluation.md says
where each fact was read.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox_wasm.grading.guest.numpy_stand_in import NUMPY_STAND_IN

__all__ = ["HUB_SOURCES", "HubSource"]

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubSource:
    """One data set on the hub."""

    repo: str
    files: tuple[str, ...]
    """Patterns of the files to fetch, read in this order; .jsonl or .parquet."""
    revision: str
    record_of: Callable[[Record, int], Record]
    """Turns a record of the hub, and its number from 0, into one of ours (docs/evaluation.md)."""
    title: str = ""
    """Title for tables, if the hub has more than the files that --data names."""
    packed_column: str = ""
    """A column that stays in the file, because it is larger than everything else."""


def humaneval_record(record: Record, _: int) -> Record:
    """The one test holds the base inputs too, so there is no base figure."""
    call = f"\n\ncheck({record['entry_point']})\n"
    return {
        "id": record["task_id"],
        "prompt": record["prompt"],
        "canonical_solution": record["canonical_solution"],
        "entry_point": record["entry_point"],
        "plus_tests": NUMPY_STAND_IN + record["test"] + call,
    }


def mbpp_record(record: Record, _: int) -> Record:
    """EvalPlus' prompt is MBPP's text and the first of its assertions, in a docstring."""
    statement = f"{record['prompt'].strip()}\n{record['test_list'][0].strip()}"
    return {
        "id": f"Mbpp/{record['task_id']}",
        "prompt": f'"""\n{statement}\n"""\n',
        "canonical_solution": record["code"],
        "plus_tests": NUMPY_STAND_IN + record["test"],
    }


def livecodebench_record(record: Record, _: int) -> Record:
    """The statement and which method is called; the tests stay packed."""
    return {
        "id": f"lcb/{record['question_id']}",
        "prompt": record["question_content"],
        "starter_code": record["starter_code"],
        "public_tests": record["public_test_cases"],
        "metadata": record["metadata"],
        "canonical_solution": None,
    }


def execution_record(record: Record, _: int) -> Record:
    """LiveCodeBench's execution problems, several of a question."""
    return {
        "id": f"{record['question_id']}/{record['id']}",
        "code": record["code"],
        "input": record["input"],
        "output": record["output"],
    }


def leetcode_record(record: Record, _: int) -> Record:
    """Its `prompt` is what every solution may import; `check` is called with the method."""
    return {
        "id": f"LeetCode/{record['task_id']}",
        "prompt": record["problem_description"],
        "code_prefix": record["prompt"],
        "starter_code": record["starter_code"],
        "tests": f"{record['test']}\n\ncheck({record['entry_point']})\n",
        "canonical_solution": record["completion"],
    }


def same_record(record: Record, _: int) -> Record:
    """The columns are ours."""
    return {name: record[name] for name in ("id", "code", "input", "output")}


def maths_record(suite: str, statement: str, answer: str = "answer") -> Callable[..., Record]:
    """Two columns; items are numbered in the order of the file."""

    def record_of(record: Record, number: int) -> Record:
        return {
            "id": f"{suite}/{number:04d}",
            "problem": record[statement],
            "answer": plain_number(record[answer]),
        }

    return record_of


def plain_number(answer: object) -> str:
    """AMC's answers are floats on the hub: 27.0 is 27."""
    if isinstance(answer, float) and answer.is_integer():
        return str(int(answer))
    return str(answer)


def math500_record(record: Record, _: int) -> Record:
    """Named like MATH's files: test/precalculus/807.json."""
    name = re.sub(r"^test/|\.json$", "", record["unique_id"])
    return {"id": f"math500/{name}", "problem": record["problem"], "answer": record["answer"]}


def olympiad_record(record: Record, _: int) -> Record:
    """Several answers are one text, with commas between them."""
    return {
        "id": f"olympiadbench/{record['id']}",
        "problem": record["question"],
        "answer": ",".join(record["final_answer"]),
    }


def gsm8k_record(record: Record, number: int) -> Record:
    """The answer follows four hashes, after a solution in words."""
    answer = record["answer"].rpartition("####")[2].strip().replace(",", "")
    return {"id": f"gsm8k/{number:04d}", "problem": record["question"], "answer": answer}


CRUXEVAL = HubSource(
    repo="cruxeval-org/cruxeval",
    files=("test.jsonl",),
    revision="b96af0450242eb4da433032b90998f25588a5d0f",
    record_of=same_record,
)

HUB_SOURCES: Mapping[str, HubSource] = {
    "humaneval+": HubSource(
        repo="evalplus/humanevalplus",
        files=("data/test-*.parquet",),
        revision="d32357cf319e50e9c8d8dab5ea876c72b0fd321b",
        record_of=humaneval_record,
    ),
    "mbpp+": HubSource(
        repo="evalplus/mbppplus",
        files=("data/test-*.parquet",),
        revision="9a36f31e81d5e1670b68e6de8ef23da0c4e1abb5",
        record_of=mbpp_record,
    ),
    "livecodebench": HubSource(
        repo="livecodebench/code_generation_lite",
        files=("test.jsonl", "test2.jsonl", "test3.jsonl", "test4.jsonl", "test5.jsonl"),
        revision="0fe84c3912ea0c4d4a78037083943e8f0c4dd505",
        record_of=livecodebench_record,
        title="LiveCodeBench v5",
        packed_column="private_test_cases",
    ),
    "livecodebench-o": HubSource(
        repo="livecodebench/execution-v2",
        files=("data/test-*.parquet",),
        revision="e3bbac6d5da0043c4a0b4e4f4b678f1f6497cc86",
        record_of=execution_record,
    ),
    "leetcode": HubSource(
        repo="newfacade/LeetCodeDataset",
        files=("LeetCodeDataset-test.jsonl",),
        revision="main",
        record_of=leetcode_record,
    ),
    "cruxeval-o": CRUXEVAL,
    "cruxeval-i": CRUXEVAL,
    "aime24": HubSource(
        repo="HuggingFaceH4/aime_2024",
        files=("data/train-*.parquet",),
        revision="2fe88a2f1091d5048c0f36abc874fb997b3dd99a",
        record_of=maths_record("aime24", "problem"),
    ),
    "aime25": HubSource(
        repo="math-ai/aime25",
        files=("test.jsonl",),
        revision="563bb8404243c5f09de6ec262f2db674fe5bce9b",
        record_of=maths_record("aime25", "problem"),
    ),
    "amc23": HubSource(
        repo="math-ai/amc23",
        files=("test-*.parquet",),
        revision="80815d37005feb82cd7f8fbc6901d5d3eff43057",
        record_of=maths_record("amc23", "question"),
    ),
    "math500": HubSource(
        repo="HuggingFaceH4/MATH-500",
        files=("test.jsonl",),
        revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
        record_of=math500_record,
    ),
    "minerva": HubSource(
        repo="math-ai/minervamath",
        files=("test.jsonl",),
        revision="ee46ddc498933b1977577953250ca5c66be64f96",
        record_of=maths_record("minerva_math", "question"),
    ),
    "olympiadbench": HubSource(
        repo="Hothan/OlympiadBench",
        files=("OlympiadBench/OE_TO_maths_en_COMP/OE_TO_maths_en_COMP.parquet",),
        revision="91184b52131e7fc9455fef848035173aea8cc01a",
        record_of=olympiad_record,
    ),
    "gsm8k": HubSource(
        repo="openai/gsm8k",
        files=("main/test-*.parquet",),
        revision="740312add88f781978c0658806c59bc2815b9866",
        record_of=gsm8k_record,
    ),
}
"""The sources, by the suite's name."""
