"""NeMo-Skills' requests, as its source sends them: programs, and sessions with state."""

import pytest

from tests.contract.http_client import request

pytestmark = [pytest.mark.guest, pytest.mark.timeout(240)]


def nemo(server, code: str, session: str | None = None, **fields) -> dict:
    """The request of LocalSandbox._prepare_request."""
    language = "python" if session is None else "ipython"
    asked = {"generated_code": code, "std_input": "", "timeout": 10.0, "language": language,
             "max_output_characters": 1000, "traceback_verbosity": "Plain", **fields}  # fmt: skip
    headers = {} if session is None else {"X_Session_ID": session}
    answered, body = server.post("/execute", asked, **headers)
    assert answered == 200, body
    return body


def test_a_program_of_nemo_skills_is_completed_however_it_ends(server):
    done = nemo(server, "print(input())", std_input="hello")
    assert done == {"process_status": "completed", "stdout": "hello\n", "stderr": ""}
    raised = nemo(server, "1/0")
    assert raised["process_status"] == "completed"
    assert "ZeroDivisionError" in raised["stderr"]
    late = nemo(server, "while True: pass", timeout=0.2)
    assert (late["process_status"], late["stdout"]) == ("timeout", "")
    assert nemo(server, "print('x' * 2000)")["stdout"] == "x" * 1000 + "<output cut>"
    lean = nemo(server, "theorem", language="lean4")
    assert (lean["process_status"], lean["stdout"]) == ("error", "")
    assert "runs Python alone" in lean["stderr"]


def test_a_session_goes_on_from_turn_to_turn(server):
    turns = [
        ("x = 41", "", "completed"),
        ("def f(n):\n    return x + n\nf(1)", "42\n", "completed"),
        ("print('a'); x += 1; x", "a\n42\n", "completed"),
        ("y = 1; 1/0", None, "error"),
        ("y", "1\n", "completed"),
        ("import random, time; r = random.random(), time.time()", "", "completed"),
        ("r == (r[0], r[1]) and 0 <= r[0] < 1", "True\n", "completed"),
        ("z = input(); print(z)", "given\n", "completed"),
        ("print(z)", "given\n", "completed"),
    ]
    for number, (code, stdout, status) in enumerate(turns):
        said = nemo(server, code, "session-a", std_input="given" if "input" in code else "")
        assert said["process_status"] == status, (code, said)
        assert said["new_session_created"] is (number == 0)
        if stdout is None:
            assert said["stdout"].endswith("ZeroDivisionError: division by zero\n")
            assert 'File "<turn 4>", line 1' in said["stdout"]
        else:
            assert said["stdout"] == stdout, code
    assert nemo(server, "x", "session-b")["process_status"] == "error"


def test_the_same_turns_leave_the_same_state(server):
    code = (
        "import random, time, os; s = (random.random(), time.time(), os.urandom(4), id(object()))"
    )
    seen = set()
    for name in ("same-1", "same-2"):
        nemo(server, code, name)
        nemo(server, "random.random()", name)
        seen.add(nemo(server, "(s, random.random(), time.time())", name)["stdout"])
    assert len(seen) == 1


def test_a_turn_that_is_stopped_leaves_the_state_as_it_was(server):
    nemo(server, "x = 1", "stopped")
    late = nemo(server, "x = 2\nwhile True: pass", "stopped", timeout=0.2)
    assert late == {"process_status": "timeout", "stdout": "",
                    "stderr": "Execution timed out after 0.2 seconds\n",
                    "new_session_created": False}  # fmt: skip
    gone = nemo(server, "x = 3\nimport os; os._exit(0)", "stopped")
    assert gone["process_status"] == "error"
    assert nemo(server, "x", "stopped")["stdout"] == "1\n"


def test_sessions_are_listed_and_ended(server):
    nemo(server, "x = 1", "ended")
    listed = server.get("/sessions")[1]
    assert listed["sessions"]["ended"]["alive"] is True
    assert server.delete("/sessions/ended")[0] == 200
    assert server.delete("/sessions/ended")[0] == 404
    assert nemo(server, "x", "ended")["new_session_created"] is True


def test_a_session_is_saved_and_goes_on_under_another_name(server):
    nemo(server, "x = [1]; x.append(2)", "saved")
    status, saved = request(server.url, "GET", "/sessions/saved/state")
    assert status == 200
    for is_new in (True, False):  # a second time it takes the place of what is there
        loaded = request(server.url, "PUT", "/sessions/loaded/state", saved)
        assert loaded == (200, {"new_session_created": is_new})
        assert nemo(server, "x.append(3); x", "loaded")["stdout"] == "[1, 2, 3]\n"
    assert nemo(server, "x", "saved")["stdout"] == "[1, 2]\n"
    for forged, word in ((b"", "no saved session"), (saved[:-9], "damaged"), (saved + b"0", "end")):
        status, said = request(server.url, "PUT", "/sessions/loaded/state", forged)
        assert status == 422
        assert word in said["detail"][0]["msg"]
    assert nemo(server, "x", "loaded")["stdout"] == "[1, 2, 3]\n"
    assert request(server.url, "GET", "/sessions/nobody/state")[0] == 404
    assert request(server.url, "PUT", f"/sessions/{'n' * 300}/state", saved)[0] == 422


def test_a_session_needs_its_header(server):
    asked = {"generated_code": "1", "timeout": 1.0}
    answered, body = server.post("/execute", asked)
    assert (answered, body) == (400, {"error": "X-Session-ID header required for ipython sessions"})
