"""Each consumer's requests, as its source sends them, over a real server and a real pool."""

import base64
import pickle  # noqa: TID251 - to pack tests as open-instruct does; nothing is unpickled
import re
import zlib
from pathlib import Path

import pytest

pytestmark = [pytest.mark.guest, pytest.mark.timeout(240)]


def verl(code: str, stdin: str | None = "", timeout: float = 10) -> dict:
    """The payload of verl's call_sandbox_api."""
    return {"compile_timeout": timeout, "run_timeout": timeout, "code": code, "stdin": stdin,
            "language": "python", "files": {}, "fetch_files": []}  # fmt: skip


# ---------------------------------------------------------------- SandboxFusion


@pytest.mark.parametrize(
    ("code", "stdin", "status", "run_status", "return_code", "stdout", "stderr"),
    [
        ("print(int(input()) * 2)", "21", "Success", "Finished", 0, "42\n", ""),
        ("print('a'); import sys; print('b', file=sys.stderr)", None,
         "Success", "Finished", 0, "a\n", "b\n"),
        ("print('a')\nx = 1\n1 / 0", "", "Failed", "Finished", 1, "a\n",
         "ZeroDivisionError: division by zero\n"),
        ("def f(:", "", "Failed", "Finished", 1, "", "SyntaxError"),
        ("import sys; sys.exit(3)", "", "Failed", "Finished", 3, "", ""),
        ("import sys; sys.exit('no')", "", "Failed", "Finished", 1, "", "no\n"),
        ("import sys; sys.exit(0)", "", "Success", "Finished", 0, "", ""),
        ("x = [0] * 10**9", "", "Failed", "Finished", 1, "", "MemoryError"),
        ("import os; os.abort()", "", "Failed", "Finished", 1, "", ""),
    ],
)  # fmt: skip
def test_run_code_ends_as_in_sandbox_fusion(
    server, code, stdin, status, run_status, return_code, stdout, stderr
):
    answered, body = server.post("/run_code", verl(code, stdin))
    assert answered == 200
    run = body["run_result"]
    assert (body["status"], body["message"], body["compile_result"]) == (status, "", None)
    assert (run["status"], run["return_code"], run["stdout"]) == (run_status, return_code, stdout)
    assert stderr in run["stderr"]
    assert bool(run["stderr"]) == bool(stderr) or return_code
    assert set(body) == {"status", "message", "compile_result", "run_result", "executor_pod_name",
                         "files"}  # fmt: skip


def test_run_code_says_what_took_too_long_and_keeps_what_it_printed(server):
    program = "print('before', flush=True)\nwhile True: pass"
    body = server.post("/run_code", verl(program, timeout=0.2))[1]
    assert body["status"] == "Failed"
    assert body["run_result"]["status"] == "TimeLimitExceeded"
    assert body["run_result"]["return_code"] is None
    assert body["run_result"]["stdout"] == "before\n"
    assert body["run_result"]["execution_time"] == pytest.approx(0.2, abs=0.01)


def test_run_code_is_python_by_default_as_verls_tutorial_has_it(server):
    assert server.post("/run_code", {"code": "print(1)"})[1]["run_result"]["stdout"] == "1\n"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"language": "cpp"}, "language 'cpp': this sandbox runs Python alone"),
        ({"args": ["-v"]}, "args: programs here have no arguments"),
    ],
)
def test_what_cannot_be_is_a_sandbox_error_and_no_verdict(server, extra, message):
    body = server.post("/run_code", {**verl("print(1)"), **extra})[1]
    assert (body["status"], body["message"], body["run_result"]) == ("SandboxError", message, None)


def test_files_go_in_and_come_back(server):
    program = "open('out/b', 'wb').write(open('in/a', 'rb').read() * 2)"
    request = {
        "code": f"import os\nos.mkdir('out')\n{program}",
        "files": {"in/a": "/wA=", "b": None},
        "fetch_files": ["out/b", "in/a", "missing"],
    }
    body = server.post("/run_code", request)[1]
    assert (body["status"], body["files"]) == ("Success", {"out/b": "/wD/AA==", "in/a": "/wA="})
    cells = {"cells": ["open('c', 'w').write(open('a').read() + '!')"], "files": {"a": "YQ=="}}
    assert server.post("/run_jupyter", {**cells, "fetch_files": ["c"]})[1]["files"] == {"c": "YSE="}
    after = server.post("/run_code", {"code": "import os; print(os.listdir('.'))"})[1]
    assert (after["run_result"]["stdout"], after["files"]) == ("[]\n", {})


@pytest.mark.parametrize(
    ("files", "path", "words"),
    [
        ({"files": {"a": "***"}}, ["body", "files", "a"], "not base64"),
        ({"files": {"a": 1}}, ["body", "files", "a"], "string"),
        ({"files": {"../a": "YQ=="}}, ["body"], "got '../a'"),
        ({"fetch_files": ["/etc/passwd"]}, ["body"], "got '/etc/passwd'"),
    ],
)
def test_a_file_that_cannot_be_is_refused_with_its_path(server, files, path, words):
    answered, body = server.post("/run_code", {"code": "1", **files})
    assert (answered, body["detail"][0]["loc"]) == (422, path)
    assert words in body["detail"][0]["msg"]


def test_a_memory_limit_is_kept(server):
    program = "x = bytearray(300 * 2**20); print('ok')"
    for megabytes, stdout in ((-1, "ok\n"), (1024, "ok\n"), (128, "")):
        body = server.post("/run_code", {**verl(program), "memory_limit_MB": megabytes})[1]
        assert body["run_result"]["stdout"] == stdout, megabytes


def test_run_jupyter_runs_cells_in_one_interpreter(server):
    cells = ["a = 123", "a", "print(a)", 'import sys; sys.stderr.write("said")',
             'raise RuntimeError("error message")', "a += 1; a"]  # fmt: skip
    answered, body = server.post("/run_jupyter", {"cells": cells, "total_timeout": 45})
    assert (answered, body["status"], body["driver"]["status"]) == (200, "Success", "Finished")
    first, shown, printed, said, raised, last = body["cells"]
    assert first == {"stdout": "", "stderr": "", "display": [], "error": []}
    assert shown["display"] == [{"text/plain": "123"}]
    assert (printed["stdout"], said["stderr"]) == ("123\n", "said")
    (error,) = raised["error"]
    assert (error["ename"], error["evalue"]) == ("RuntimeError", "error message")
    assert error["traceback"] == [
        "Traceback (most recent call last):", '  File "<cell 5>", line 1, in <module>',
        '    raise RuntimeError("error message")', "RuntimeError: error message",
    ]  # fmt: skip
    assert last["display"] == [{"text/plain": "124"}]


def test_run_jupyter_fails_clearly(server):
    late = server.post("/run_jupyter", {"cells": ["while True: pass"], "total_timeout": 0.2})[1]
    assert (late["status"], late["driver"]["status"]) == ("Failed", "TimeLimitExceeded")
    gone = server.post("/run_jupyter", {"cells": ["import os; os._exit(0)"]})[1]
    assert (gone["status"], gone["cells"]) == ("Failed", [])


def test_ping_and_health(server):
    assert server.get("/v1/ping") == (200, "pong")
    assert server.get("/health") == (200, {"status": "healthy"})


# ---------------------------------------------------------------- ScaleBox


def scalebox(completion: str, cases: dict, **extra) -> dict:
    return {"completion": completion,
            "config": {"language": "python", "compile_timeout": 20, "run_timeout": 30,
                       "provided_data": {"test_cases": cases},
                       "extra": {"run_all_cases": True, "total_timeout": 30, **extra}}}  # fmt: skip


DOUBLE = "```python\nprint(int(input()) * 2)\n```"


def test_a_batch_of_stdin_tests_is_one_request(server):
    cases = {"type": "stdin_stdout", "input": ["2", "3", "x"], "output": ["4", "7", "0"],
             "fn_name": None}  # fmt: skip
    answered, body = server.post("/common_evaluate_batch", scalebox(DOUBLE, cases))
    assert (answered, body["accepted"]) == (200, False)
    assert [test["passed"] for test in body["tests"]] == [True, False, False]
    assert body["extracted_code"] == "print(int(input()) * 2)"
    assert body["tests"][1]["exec_info"]["run_result"]["stdout"] == "6\n"
    assert body["tests"][1]["test_info"] == {"input": {"stdin": "3"}, "output": {"stdout": "7"}}
    assert body["tests"][2]["exec_info"]["status"] == "Failed"
    assert "ValueError" in body["tests"][2]["exec_info"]["run_result"]["stderr"]
    first = server.post("/common_evaluate_batch", scalebox(DOUBLE, cases, run_all_cases=False))[1]
    assert [test["passed"] for test in first["tests"]] == [True, False]


def test_lines_are_compared_as_scalebox_does_but_none_may_be_missing(server):
    cases = {"type": "stdin_stdout", "input": [""], "output": ["YES\n0.5\n"], "fn_name": None}
    for program, accepted in (
        ("print('yes'); print('0.500001')", True),
        ("print(' Yes '); print(0.5)", True),
        ("print('yes'); print(0.6)", False),
        ("print('yes')", False),
        ("pass", False),
    ):
        asked = scalebox(f"```python\n{program}\n```", cases)
        assert server.post("/common_evaluate_batch", asked)[1]["accepted"] is accepted, program


def test_functions_and_asserts_are_judged_too(server):
    function = "```\ndef double_check(s):\n    return s[:1] == s[1:2]\n```"
    cases = {"fn_name": "double_check", "input": [["ab"], ["aa"]], "output": [[False], [True]],
             "type": "function_call"}  # fmt: skip
    body = server.post("/common_evaluate_batch", scalebox(function, cases))[1]
    assert (body["accepted"], len(body["tests"])) == (True, 2)
    test = "\n\nMETADATA = {}\n\n\ndef check(candidate):\n    assert candidate(6) == False\n"
    cases = {"type": "assert", "test": test, "entry_point": "is_prime"}
    for value, accepted in (("False", True), ("True", False)):
        completion = f"```python\ndef is_prime(n):\n    return {value}\n```"
        body = server.post("/common_evaluate_batch", scalebox(completion, cases))[1]
        assert (body["accepted"], len(body["tests"])) == (accepted, 1)


def test_programs_of_leetcodes_kind_alone_get_imports(server):
    cases = {"fn_name": "f", "input": [[[1, 2]]], "output": [[3]], "type": "function_call"}
    solution = (
        "```python\nclass Solution:\n    def f(self, a: List[int]): return reduce(add, a)\n```"
    )
    function = "```python\ndef f(a): return reduce(add, a)\n```"
    for completion, accepted in ((solution, True), (function, False)):
        body = server.post("/common_evaluate_batch", scalebox(completion, cases))[1]
        assert body["accepted"] is accepted, body


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"language": "cpp"}, ["body", "config", "language"]),
        ({"custom_extract_logic": "1"}, ["body", "config", "custom_extract_logic"]),
        ({"extra": {"special_judge_program": "1"}},
         ["body", "config", "extra", "special_judge_program"]),
        ({"provided_data": {"test_cases": {"type": "stdin_stdout", "input": ["1"], "output": []}}},
         ["body", "config", "provided_data", "test_cases", "input"]),
        ({"provided_data": {"test_cases": {"type": "assert", "test": "assert True"}}},
         ["body", "config", "provided_data", "test_cases"]),
    ],
)  # fmt: skip
def test_scalebox_hears_what_cannot_be(server, change, path):
    asked = scalebox(DOUBLE, {"type": "stdin_stdout", "input": ["1"], "output": ["2"]})
    asked["config"].update(change)
    answered, body = server.post("/common_evaluate_batch", asked)
    assert answered == 422
    assert body["detail"][0]["loc"] == path


# ---------------------------------------------------------------- open-instruct


ADD = "def add(a, b): return a + b"
ASSERTS = ["assert add(1, 2) == 3", "assert add(-1, 1) == 0", "assert add(0, 0) == 1"]


def packed(tests: object) -> str:
    """open-instruct's encode_tests."""
    return base64.b64encode(zlib.compress(pickle.dumps(tests))).decode()


def test_asserts_are_counted_one_by_one(server):
    for tests in (ASSERTS, packed(ASSERTS), str(ASSERTS).replace("'", '"')):
        asked = {"program": ADD, "tests": tests, "max_execution_time": 1.0}
        answered, body = server.post("/test_program", asked)
        assert (answered, body["results"]) == (200, [1, 1, 0])
        assert body["runtimes"][2] == -1.0
        assert all(0 <= seconds < 1 for seconds in body["runtimes"][:2])


def test_stdio_tests_are_compared_by_livecodebenchs_rule(server):
    program = (
        "import sys\nfor line in sys.stdin.read().splitlines():\n    print(int(line.strip()) + 1)"
    )
    tests = [{"input": "1\n", "output": "2\n"}, {"input": "100\n", "output": "101.0"},
             {"input": "5\n", "output": "7\n"}, {"input": "x", "output": "1"}]  # fmt: skip
    for sent in (tests, packed(tests)):
        asked = {"program": program, "tests": sent, "max_execution_time": 1.0}
        assert server.post("/test_program_stdio", asked)[1]["results"] == [1, 1, 0, 0]


def test_programs_that_hang_fail_their_tests_and_no_others(server):
    program = "def f(x):\n    while x: pass\n    return x"
    asked = {"program": program, "tests": ["assert f(0) == 0", "assert f(1) == 1"],
             "max_execution_time": 0.2}  # fmt: skip
    assert server.post("/test_program", asked)[1] == {
        "results": [1, 0],
        "runtimes": [pytest.approx(0, abs=0.1), -1.0],
    }


class Planted:
    """Unpickling it would call something."""

    def __reduce__(self):
        return print, ("unpickled",)


@pytest.mark.parametrize(
    ("tests", "path"),
    [
        ([], ["body", "tests"]),
        ("", ["body", "tests"]),
        ("no tests", ["body", "tests"]),
        ([1], ["body", "tests", 0]),
        (["assert add(1, 2) == 3", " "], ["body", "tests", 1]),
        (["assert True"], ["body", "tests"]),
        (["x = 1"], ["body", "tests"]),
        (packed([Planted()]), ["body", "tests"]),
        (packed(Planted), ["body", "tests"]),
        (base64.b64encode(zlib.compress(b"\x80\x04" + b"]" * 10_000_000)).decode(),
         ["body", "tests"]),
        (base64.b64encode(zlib.compress(b"\0" * 100_000_000)).decode(), ["body", "tests"]),
    ],
    ids=range(11),
)  # fmt: skip
def test_tests_that_say_nothing_or_are_packed_otherwise_are_refused(server, tests, path):
    answered, body = server.post("/test_program", {"program": ADD, "tests": tests})
    assert answered == 422
    assert body["detail"][0]["loc"] == path, body


def test_the_tool_of_open_instruct(server):
    def tool(code: str, timeout: float | None = 3) -> tuple:
        body = server.post("/execute", {"code": code, "timeout": timeout})[1]
        return body["output"], body["error"], body["success"]

    assert tool("print(1)") == ("1\n", None, True)
    assert tool("print(1)", None) == ("1\n", None, True)
    assert tool("import sys; print('e', file=sys.stderr)") == ("", "e\n", True)
    assert tool("import time; time.sleep(100)") == ("", None, True)  # the clock is virtual
    output, error, success = tool("print(1)\n1/0")
    assert (output, success) == ("", False)
    assert "ZeroDivisionError: division by zero" in error
    assert tool("while True: pass", 0.2) == ("", "Execution timed out after 0.2 seconds", False)


# ---------------------------------------------------------------- rewards


RIGHT = "<think>2+3</think>\n```python\ndef add(a, b):\n    return a + b\n```"
WRONG = "```python\ndef add(a, b):\n    return a - b\n```"
LABEL = '["assert add(2, 3) == 5"]'


def test_slime_gets_a_number(server):
    for response, reward in ((RIGHT, 1.0), (WRONG, 0.0), ("", 0.0)):
        asked = {"prompt": "Write add.", "response": response, "label": LABEL}
        assert server.post("/reward", asked) == (200, reward)


def test_openrlhf_gets_rewards_and_scores(server):
    prompt = "Write add: ```python\ndef add(a, b):\n    return a + b\n```\n"
    asked = {"query": [prompt + RIGHT, prompt + WRONG], "prompts": [prompt, prompt],
             "labels": [LABEL, LABEL]}  # fmt: skip
    assert server.post("/reward", asked) == (
        200,
        {"rewards": [1.0, 0.0], "scores": [1.0, 0.0], "extra_logs": {}},
    )


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"prompt": "", "response": RIGHT, "label": "assert True"}, ["body", "label"]),
        ({"prompt": "", "response": RIGHT, "label": None}, ["body", "label"]),
        (
            {"response": RIGHT, "label": base64.b64encode(zlib.compress(b"\0" * 10**8)).decode()},
            ["body", "label"],
        ),
        ({"query": [RIGHT], "prompts": [], "labels": []}, ["body", "labels"]),
        ({"query": [RIGHT]}, ["body", "OpenRLHF", "labels"]),
    ],
)
def test_a_label_that_is_no_check_is_refused_and_not_scored(server, asked, path):
    answered, body = server.post("/reward", asked)
    assert answered == 422
    assert body["detail"][0]["loc"] == path, body


# ---------------------------------------------------------------- the interface


def test_the_interface_is_described_and_its_examples_are_right(server):
    page = server.get("/openapi.json")[1]
    assert page["openapi"] == "3.1.0"
    for path, methods in page["paths"].items():
        content = methods["post"]["requestBody"]["content"]["application/json"]
        headers = {"X_Session_ID": "example"} if path == "/execute" else {}
        assert server.post(path, content["example"], **headers)[0] == 200, path
        assert f"POST {path}" in server.get("/docs")[1]
    assert "http" not in server.get("/docs")[1]
    assert server.figure("azr_sandbox_http_requests_total") >= len(page["paths"])
    assert server.figure("azr_sandbox_failed_total") == 0


def test_the_dashboard_shows_figures_that_there_are(server):
    dashboard = (Path(__file__).parents[2] / "deploy" / "grafana.json").read_text()
    page = server.get("/metrics")[1]
    for name in set(re.findall(r"azr_sandbox_\w+", dashboard)):
        assert re.search(rf"^{name}\b", page, re.MULTILINE), name
