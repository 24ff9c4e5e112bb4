"""A record or two of each data set on the hub, in its own columns; hand-made."""

import base64
import io
import json
import pickle  # noqa: TID251 - what the hub's data is made with
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.fake_hub import FakeHub

__all__ = [
    "FUNCTIONAL",
    "HUMANEVAL",
    "MBPP",
    "STDIN",
    "as_jsonl",
    "as_parquet",
    "hub_of_all",
    "packed_cases",
]

EVALPLUS_HEAD = """\
import numpy as np

def is_floats(x) -> bool:
    if isinstance(x, float):
        return True
    if isinstance(x, (list, tuple)):
        return all(isinstance(i, float) for i in x)
    if isinstance(x, np.ndarray):
        return x.dtype == np.float64 or x.dtype == np.float32
    return False

def assertion(out, exp, atol):
    exact_match = out == exp
    if atol == 0 and is_floats(exp):
        atol = 1e-6
    if not exact_match and atol != 0:
        np.testing.assert_allclose(out, exp, atol=atol)
    else:
        assert exact_match
"""

HUMANEVAL = [
    {
        "task_id": "HumanEval/0",
        "prompt": 'def half(x):\n    """Halve."""\n',
        "canonical_solution": "    return x / 2\n",
        "entry_point": "half",
        "test": EVALPLUS_HEAD
        + "\ndef check(candidate):\n    inputs = [[1], [3]]\n    results = [0.5, 1.5]\n"
        "    for i, (inp, exp) in enumerate(zip(inputs, results)):\n"
        "        assertion(candidate(*inp), exp, 0)\n",
    }
]
MBPP = [
    {
        "task_id": 2,
        "code": "def twice(xs):\n    return [2 * x for x in xs]\n",
        "prompt": "Write a function to double.",
        "source_file": "x.ipynb",
        "test_imports": [],
        "test_list": ["assert twice([1]) == [2]", "assert twice([]) == []"],
        "test": EVALPLUS_HEAD + "\ninputs = [[[1.5]], [[]]]\nresults = [[3.0], []]\n"
        "for i, (inp, exp) in enumerate(zip(inputs, results)):\n"
        "    assertion(twice(*inp), exp, 0)\n",
    }
]


def packed_cases(cases: Sequence[Mapping[str, str]], protocol: int = 4) -> str:
    """As LiveCodeBench publishes private tests."""
    text = json.dumps(list(cases))
    return base64.b64encode(zlib.compress(pickle.dumps(text, protocol=protocol))).decode()


def contest(number: str, **columns: object) -> dict[str, Any]:
    return {
        "question_title": "Add", "question_content": "Add two numbers.", "platform": "atcoder",
        "question_id": number, "contest_id": "c", "contest_date": "2024-01-01T00:00:00",
        "starter_code": "", "difficulty": "easy", "metadata": "{}", **columns,
    }  # fmt: skip


STDIN = contest(
    "abc1_a",
    public_test_cases=json.dumps([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]),
    private_test_cases=packed_cases(
        [{"input": f"{n} {n}\n", "output": f"{2 * n}\n", "testtype": "stdin"} for n in range(20)]
    ),
)
FUNCTIONAL = contest(
    "3001",
    starter_code="class Solution:\n    def add(self, a: int, bs: List[int]) -> int:\n        ",
    metadata=json.dumps({"func_name": "add"}),
    public_test_cases=json.dumps(
        [{"input": "1\n[2, 3]", "output": "6", "testtype": "functional"}]
    ),
    private_test_cases=json.dumps(
        [{"input": "0\n[]", "output": "0", "testtype": "functional"}]
    ),
)  # fmt: skip
EXECUTION = [
    {
        "question_id": 2777, "id": f"sample_{n}", "function_name": "top",
        "code": "def top(nums):\n    return max(nums)", "input": f"top(nums = [1, {n}])",
        "output": str(n), "numsteps": 3, "problem_id": [1], "contest_id": "w",
        "contest_date": None, "difficulty": "easy",
    }
    for n in (2, 3)
]  # fmt: skip
LEETCODE = [
    {
        "task_id": "add", "question_id": 1, "difficulty": "Easy", "tags": [],
        "problem_description": "Add.", "prompt": "from typing import *\n",
        "starter_code": "class Solution:\n    def add(self, a: int) -> int:\n        ",
        "completion": "class Solution:\n    def add(self, a: int) -> int:\n        return a + 1\n",
        "entry_point": "Solution().add",
        "test": "def check(candidate):\n    assert candidate(a = 1) == 2\n",
    }
]  # fmt: skip
CRUXEVAL = [{"code": "def f(x):\n    return x", "input": "1", "output": "1", "id": "sample_0"}]


def as_jsonl(records: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def as_parquet(records: Sequence[Mapping[str, Any]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(records)), sink)
    return sink.getvalue()


def hub_of_all() -> FakeHub:
    hub = FakeHub()
    part = "data/test-00000-of-00001"
    hub.add("evalplus/humanevalplus", {f"{part}-59.parquet": as_parquet(HUMANEVAL)})
    hub.add("evalplus/mbppplus", {f"{part}-d5.parquet": as_parquet(MBPP)})
    empty = {"public_test_cases": "[]", "private_test_cases": "[]"}
    more = {f"test{n}.jsonl": as_jsonl([contest(f"v{n}", **empty)]) for n in range(3, 7)}
    lcb = {"test.jsonl": as_jsonl([STDIN]), "test2.jsonl": as_jsonl([FUNCTIONAL]), **more}
    hub.add("livecodebench/code_generation_lite", {**lcb, "code_generation_lite.py": b"1 / 0"})
    hub.add("livecodebench/execution-v2", {f"{part}.parquet": as_parquet(EXECUTION)})
    hub.add("newfacade/LeetCodeDataset", {"LeetCodeDataset-test.jsonl": as_jsonl(LEETCODE)})
    hub.add("cruxeval-org/cruxeval", {"test.jsonl": as_jsonl(CRUXEVAL)})
    aime = {"id": 60, "problem": "What is 2?", "solution": "2", "answer": "2", "year": "2024"}
    hub.add("HuggingFaceH4/aime_2024", {"data/train-00000-of-00001.parquet": as_parquet([aime])})
    aime25 = {"problem": "What is 3?", "answer": "3", "id": "0"}
    hub.add("math-ai/aime25", {"test.jsonl": as_jsonl([aime25])})
    amc = {"id": 0, "question": "What is 27?", "answer": 27.0, "url": "u"}
    hub.add("math-ai/amc23", {"test-00000-of-00001.parquet": as_parquet([amc])})
    math = {"problem": "p", "solution": "s", "answer": "\\frac12", "subject": "Algebra",
            "level": 2, "unique_id": "test/algebra/7.json"}  # fmt: skip
    hub.add("HuggingFaceH4/MATH-500", {"test.jsonl": as_jsonl([math])})
    hub.add("math-ai/minervamath", {"test.jsonl": as_jsonl([{"question": "q", "answer": "1.6e3"}])})
    olympiad = {"id": 1606, "question": "q", "final_answer": ["$69$,$84$"], "image_1": None}
    name = "OE_TO_maths_en_COMP"
    hub.add(
        "Hothan/OlympiadBench",
        {f"OlympiadBench/{name}/{name}.parquet": as_parquet([olympiad])},
    )
    gsm8k = {"question": "How many?", "answer": "Two times 600 is 1200.\n#### 1,200"}
    hub.add("openai/gsm8k", {"main/test-00000-of-00001.parquet": as_parquet([gsm8k])})
    return hub
