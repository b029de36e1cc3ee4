"""Starts the real binary and defines endpoints for it, for the client suites of this folder.

EXPLAIND_BIN          path of the binary
EXPLAIND_TEST_DEVICE  what --device gets, default cpu

The server writes its log to the stderr that pytest captures, so a failed test shows it.
"""

import http.client
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
READY_S, STOP_S, ANSWER_S, POLL_S = 120, 60, 120, 0.01
LISTENING = "listening on "


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def document(self):
        assert self.status == 200, self.body
        return json.loads(self.body)

    @property
    def scores(self):
        """[n_records][n_classes]"""
        lines = self.document["predictions"]["data"].split("\n")
        return [[float(score) for score in line.split(",")] for line in lines]

    @property
    def attributions(self):
        """[n_records][n_features][n_classes]"""
        return [
            [feature["attributions"][0]["attribution"] for feature in record]
            for record in self.document["explanations"]["kernel_shap"]
        ]

    @property
    def base_values(self):
        return json.loads(self.headers["X-Explaind-Base-Values"])


@dataclass
class Server:
    process: subprocess.Popen
    url: str

    def connect(self):
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=ANSWER_S)

    def get(self, path):
        return self.request("GET", path)

    def invoke(self, endpoint, body, content_type="text/csv"):
        headers = {"Content-Type": content_type, "Accept": content_type}
        return self.request("POST", f"/endpoints/{endpoint}/invocations", body, headers)

    def request(self, method, path, body=None, headers={}):
        connection = self.connect()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def stop(self):
        """Asks it to end, unless it has, and returns its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(STOP_S)


@dataclass
class Reply:
    body: str
    content_type: str = "text/csv"
    status: int = 200
    headers: dict = field(default_factory=dict)


@dataclass
class Asked:
    path: str
    headers: http.client.HTTPMessage
    body: str


class Stub(ThreadingHTTPServer):
    """What an HTTP client meets here is the test's affair: answer(asked) gives the Reply to each POST."""

    daemon_threads = True

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), StubHandler)
        self.answer, self.asked, self.url = answer, [], f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(POLL_S,), daemon=True).start()

    def handle_error(self, *request):
        # Clients of these tests may hang up.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*request)


class StubHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave as two packets, and the second must not wait for the first.
    disable_nagle_algorithm = True

    def do_GET(self):
        self.reply(Reply("", status=200 if self.path == "/ping" else 404))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        asked = Asked(self.path, self.headers, body)
        self.server.asked.append(asked)
        self.reply(self.server.answer(asked))

    def reply(self, reply):
        body = reply.body.encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": reply.content_type, "Content-Length": len(body), **reply.headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def launch(definitions, environment, **pipes):
    """Starts `explaind serve` with these variables beside those of this process."""
    binary = os.environ.get("EXPLAIND_BIN")
    if not binary:
        pytest.fail("Set EXPLAIND_BIN to the path of the explaind binary.")
    command = [str(Path(binary).resolve()), "serve", "--listen", "127.0.0.1:0"]
    command += ["--device", os.environ.get("EXPLAIND_TEST_DEVICE", "cpu")]
    for definition in definitions:
        command += ["--endpoints", str(definition)]
    settings = {name: os.environ[name] for name in os.environ if not name.startswith("EXPLAIND_")}
    settings["EXPLAIND_DRAIN_GRACE_MS"] = "0"
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=settings | environment, **pipes)


def start(definitions, environment):
    process = launch(definitions, environment)
    give_up = threading.Timer(READY_S, process.kill)
    give_up.start()
    for line in process.stdout:
        if line.startswith(LISTENING):
            give_up.cancel()
            threading.Thread(target=process.stdout.read, daemon=True).start()
            return Server(process, line.removeprefix(LISTENING).strip())
    give_up.cancel()
    pytest.fail(f"explaind ended with code {process.wait()} before it listened.")


def refusal(definition, environment):
    """What a server that cannot start says on stderr."""
    process = launch([definition], environment, stderr=subprocess.PIPE)
    try:
        _, text = process.communicate(timeout=READY_S)
    finally:
        process.kill()
    assert process.returncode == 1, text
    return text


@pytest.fixture(scope="session")
def examples():
    return ROOT / "examples"


@pytest.fixture(scope="module")
def serve():
    """serve(definition, ...) starts a server of these endpoint definitions; all end with the module."""
    servers = []

    def serve(*definitions, environment={}):
        servers.append(start(definitions, environment))
        return servers[-1]

    yield serve
    try:
        assert [server.stop() for server in servers] == [0] * len(servers)
    finally:
        for server in servers:
            server.process.kill()


@pytest.fixture(scope="module")
def serve_api(serve, tmp_path_factory):
    """serve_api(definition, ...) starts a server with an empty state. The API may name files of this checkout and of
    the tests."""

    def serve_api(*definitions, environment={}):
        roots = f"{ROOT},{tmp_path_factory.getbasetemp()}"
        state = tmp_path_factory.mktemp("state")
        variables = {"EXPLAIND_STATE": str(state), "EXPLAIND_FILE_ROOT": roots}
        return serve(*definitions, environment=variables | environment)

    return serve_api


@pytest.fixture(scope="module")
def stub():
    """stub(answer) starts a Stub, such as a model in a container; all end with the module."""
    stubs = []

    def stub(answer):
        stubs.append(Stub(answer))
        return stubs[-1]

    yield stub
    for server in stubs:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def write_definition(tmp_path_factory):
    """write_definition(name, PrimaryContainer, ClarifyExplainerConfig or None) returns the path of endpoint.json."""

    def write_definition(name, container, explainer):
        definition = {"EndpointName": name, "PrimaryContainer": container}
        if explainer is not None:
            definition["ExplainerConfig"] = {"ClarifyExplainerConfig": explainer}
        path = tmp_path_factory.mktemp(name) / "endpoint.json"
        path.write_text(json.dumps(definition))
        return path

    return write_definition


@pytest.fixture(scope="module")
def define(write_definition, tmp_path_factory):
    """define(name, save_model, baseline, ...) defines an endpoint of an XGBoost model. A baseline is the inline text or
    a whole ShapBaselineConfig."""

    def define(name, save_model, baseline, use_logit=None, enable=None, environment={}, n_samples=None):
        model = tmp_path_factory.mktemp("model") / "model.json"
        save_model(model)
        baseline_config = {"ShapBaseline": baseline} if isinstance(baseline, str) else baseline
        explainer = {"ShapConfig": {"ShapBaselineConfig": baseline_config}}
        if use_logit is not None:
            explainer["ShapConfig"]["UseLogit"] = use_logit
        if n_samples is not None:
            explainer["ShapConfig"]["NumberOfSamples"] = n_samples
        if enable is not None:
            explainer["EnableExplanations"] = enable
        container = {"ModelDataUrl": str(model), "Mode": "SingleModel", "Environment": environment}
        return write_definition(name, container, explainer)

    return define
