"""`azr-sandbox serve` and `keys` as commands: what they refuse, how they end, who gets in."""

import argparse
import re
import signal
import socket
import stat
import subprocess
import time
import urllib.request

import pytest

from sandbox_wasm.client.client import SandboxClient
from sandbox_wasm.errors import SandboxUnavailable
from sandbox_wasm.types import Job
from sandbox_wasm.wire.keys import KeyFileError, add_keys_arguments, main_keys
from tests.contract.numbered_jobs import FAKE

pytestmark = pytest.mark.timeout(60)


def serve(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*FAKE, *arguments], capture_output=True, text=True, timeout=20, check=False
    )


class Serving:
    """A server in a process; `with Serving(...) as server`."""

    def __init__(self, *arguments: str) -> None:
        self._argv = [*FAKE, *arguments]

    def __enter__(self) -> "Serving":
        self.popen = subprocess.Popen(self._argv, stderr=subprocess.PIPE, text=True)
        self.lines = []
        while not (line := self.popen.stderr.readline()).startswith("READY"):
            assert line, self.lines
            self.lines.append(line)
        self.ready = line
        self.endpoint = line.split()[1]
        return self

    def __exit__(self, *_: object) -> None:
        if self.popen.returncode is None:
            self.popen.kill()
            self.popen.wait()
        self.popen.stderr.close()


def keys(folder, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_keys_arguments(parser)
    return main_keys(parser.parse_args([str(folder), *arguments]))


def ask(endpoint: str, **options) -> str | None:
    with SandboxClient(endpoint, **options) as client:
        return client.run([Job("a", "echo", calls=("42",))])[0].calls[0].value


def test_a_port_in_use_is_one_line_and_status_2():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = serve("--bind", f"tcp://127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "FAKE SANDBOX" not in line]
    assert "cannot bind tcp://127.0.0.1" in line
    assert "in use" in line


def test_an_ipc_path_in_use_is_not_stolen_and_a_dead_one_is_taken_over(tmp_path):
    bind = f"ipc://{tmp_path}/s"
    with Serving("--bind", bind) as first:
        done = serve("--bind", bind)
        assert done.returncode == 2
        assert f"{bind} is in use" in done.stderr
        assert ask(bind, timeout_s=10) == "42"
        first.popen.kill()
        first.popen.wait()
    assert (tmp_path / "s").exists()
    with Serving("--bind", bind):
        assert ask(bind, timeout_s=10) == "42"


def test_a_file_in_the_way_of_an_ipc_path_is_left_alone(tmp_path):
    (tmp_path / "s").write_text("precious")
    assert serve("--bind", f"ipc://{tmp_path}/s").returncode == 2
    assert (tmp_path / "s").read_text() == "precious"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bind", "tcp://0.0.0.0:5555"], "can be reached from other machines and has no keys"),
        (["--bind", "tcp://*:5555"], "--allow-insecure-public"),
        (["--bind", "tcp://somehost:5555"], "has no keys"),
        (["--bind", "http://x"], "'http://x' is not one of tcp://HOST:PORT or ipc:///PATH"),
        (["--bind", "tcp://127.0.0.1:*", "--workers", "0"], r"--workers must be in \[1, 1024\]"),
        (["--bind", "tcp://127.0.0.1:*", "--curve-secret", "x"], "belong together"),
        (["--bind", "tcp://127.0.0.1:*", "--max-message-bytes", "7"], "--max-message-bytes must"),
        (["--bind", "tcp://127.0.0.1:*", "--metrics-bind", "here"], "HOST:PORT, .*'here'"),
        (["--bind", "tcp://127.0.0.1:*", "--max-sessions", "0"], "--max-sessions must be positive"),
        (["--bind", "tcp://127.0.0.1:*", "--max-session-idle-s", "nan"], "must be positive"),
        (["--bind", "tcp://127.0.0.1:*", "--drain-s", "-1"], "--drain-s must be positive"),
        (["--bind", "tcp://127.0.0.1:*", "--curve-secret", "/no", "--curve-allow", "/no"],
         "key file /no"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused_with_status_2(arguments, message):
    done = serve(*arguments)
    assert done.returncode == 2
    assert re.search(message, done.stderr), done.stderr
    assert "Traceback" not in done.stderr


def test_an_insecure_public_address_is_bound_when_told_so():
    with Serving("--bind", "tcp://0.0.0.0:*", "--allow-insecure-public") as server:
        port = server.endpoint.rsplit(":", 1)[1]
        assert ask(f"tcp://127.0.0.1:{port}", timeout_s=10) == "42"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_what_is_queued_and_ends_with_status_0(tmp_path, number):
    jobs = [Job(str(i), "sleep 0.02", calls=(str(i),)) for i in range(60)]
    with Serving("--bind", f"ipc://{tmp_path}/s", "--workers", "2") as server:
        assert server.ready == f"READY ipc://{tmp_path}/s workers=2\n"
        with SandboxClient(server.endpoint, timeout_s=20) as client:
            results = client.stream(jobs)
            got = [next(results)[1].id]
            server.popen.send_signal(number)
            got += [result.id for _, result in results]
            assert sorted(got) == sorted(job.id for job in jobs)
            assert client.stats()["resent"] == 0
        assert server.popen.wait(10) == 0


def test_a_drain_has_an_end(tmp_path):
    with (
        Serving("--bind", f"ipc://{tmp_path}/s", "--drain-s", "0.3") as server,
        SandboxClient(server.endpoint, timeout_s=1.5) as client,
    ):
        results = client.stream([Job(str(i), "sleep 0.2") for i in range(100)])
        next(results)
        server.popen.terminate()
        began = time.monotonic()
        assert server.popen.wait(60) == 0
        assert time.monotonic() - began < 9.5  # all jobs take 10 s
        with pytest.raises(SandboxUnavailable):
            list(results)


# ---------------------------------------------------------------------- the metrics page


def test_the_metrics_page_counts_what_was_done():
    arguments = ["--bind", "tcp://127.0.0.1:*", "--metrics-bind", "127.0.0.1:0"]
    with Serving(*arguments) as server:
        url = next(line.split()[1] for line in server.lines if line.startswith("METRICS"))
        with SandboxClient(server.endpoint) as client:
            client.run([Job(str(i), "echo") for i in range(10)])
            time.sleep(0.3)
        with urllib.request.urlopen(url, timeout=5) as page:
            text = page.read().decode()
            assert page.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "azr_sandbox_results_total 10\n" in text
        assert 'azr_sandbox_calls_total{outcome="returned"} 10\n' in text
        assert 'azr_sandbox_latency_seconds_bucket{le="+Inf"} 10\n' in text
        assert "azr_sandbox_pool_workers 2\n" in text
        with urllib.request.urlopen(url.replace("metrics", "healthz"), timeout=5) as page:
            assert page.status == 200
        server.popen.terminate()
        assert server.popen.wait(20) == 0


# ---------------------------------------------------------------------- keys


def test_keys_are_made_once_and_private(tmp_path, capsys):
    folder = tmp_path / "keys"
    assert keys(folder) == 0
    assert "--curve-allow" in capsys.readouterr().err
    for name in ("server.key_secret", "client.key_secret"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    before = (folder / "server.key_secret").read_bytes()
    assert keys(folder) == 2
    assert "exists" in capsys.readouterr().err
    assert keys(folder, "--client", "second") == 0
    assert (folder / "server.key_secret").read_bytes() == before
    assert sorted(file.name for file in (folder / "allow").iterdir()) == [
        "client.key",
        "second.key",
    ]
    assert b"secret-key" not in (folder / "allow/client.key").read_bytes()
    assert keys(folder, "--client", "../evil") == 2


@pytest.fixture
def guarded(tmp_path):
    folder = tmp_path / "keys"
    assert keys(folder) == 0
    with Serving(
        "--bind", "tcp://127.0.0.1:*", "--curve-secret", str(folder / "server.key_secret"),
        "--curve-allow", str(folder / "allow"),
    ) as server:  # fmt: skip
        yield server.endpoint, folder


def test_a_client_with_its_key_is_served(guarded):
    endpoint, folder = guarded
    server_key, client_key = folder / "server.key", folder / "client.key_secret"
    assert ask(endpoint, server_key=server_key, client_key=client_key, timeout_s=10) == "42"


def test_a_client_without_keys_gets_nothing(guarded):
    endpoint, _ = guarded
    with pytest.raises(SandboxUnavailable):
        ask(endpoint, timeout_s=1.0)


def test_a_client_whose_key_is_not_allowed_gets_nothing(guarded, tmp_path):
    endpoint, folder = guarded
    assert keys(tmp_path / "other") == 0
    stranger = tmp_path / "other" / "client.key_secret"
    with pytest.raises(SandboxUnavailable, match="handshake failed"):
        ask(endpoint, server_key=folder / "server.key", client_key=stranger, timeout_s=1.0)


def test_a_client_that_expects_another_server_gets_nothing(guarded, tmp_path):
    endpoint, folder = guarded
    assert keys(tmp_path / "other") == 0
    wrong = tmp_path / "other" / "server.key"
    with pytest.raises(SandboxUnavailable):
        ask(endpoint, server_key=wrong, client_key=folder / "client.key_secret", timeout_s=1.0)


def test_a_key_can_be_added_and_withdrawn_while_the_server_runs(guarded):
    endpoint, folder = guarded
    assert keys(folder, "--client", "late") == 0
    late = {"server_key": folder / "server.key", "client_key": folder / "late.key_secret"}
    assert ask(endpoint, **late, timeout_s=10) == "42"
    (folder / "allow" / "late.key").unlink()
    with pytest.raises(SandboxUnavailable):
        ask(endpoint, **late, timeout_s=1.0)


def test_a_key_file_that_is_none_is_named(tmp_path):
    (tmp_path / "x.key").write_text("nothing here")
    with pytest.raises(KeyFileError, match=r"x\.key"):
        SandboxClient("tcp://h:1", server_key=tmp_path / "x.key", client_key=tmp_path / "x.key")
    assert keys(tmp_path / "keys") == 0
    public = tmp_path / "keys" / "client.key"
    with pytest.raises(KeyFileError, match="no secret half"):
        SandboxClient("tcp://h:1", server_key=public, client_key=public)
