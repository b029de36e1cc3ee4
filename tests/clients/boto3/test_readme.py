"""The README's commands, run as they are written there, from the repository's root."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from aws_variables import CREDENTIALS
from conftest import ROOT, Reply

README = (ROOT / "README.md").read_text()
STARTED_S, ENDED_S = 600, 60


def block(language, fragment):
    blocks = re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    (found,) = [text for text in blocks if fragment in text]
    return found


def settings():
    return {name: os.environ[name] for name in os.environ if not name.startswith("EXPLAIND_")}


@contextmanager
def running(command, until, environment={}):
    """Runs a command that serves, yields what it printed until the line that holds `until`, then presses Ctrl-C."""
    variables = settings() | environment
    process = subprocess.Popen(shlex.split(command), cwd=ROOT, env=variables, text=True, stdout=subprocess.PIPE)
    give_up = threading.Timer(STARTED_S, process.kill)
    give_up.start()
    printed = ""
    try:
        while until not in printed:
            line = process.stdout.readline()
            assert line, f"{command!r} ended before it printed {until!r}: {printed}"
            printed += line
        yield printed
    finally:
        give_up.cancel()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(ENDED_S) == 0


def run(command):
    return subprocess.run(
        command, shell=True, cwd=ROOT, env=settings(), text=True, capture_output=True, check=True, timeout=ENDED_S
    ).stdout


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    state = {"EXPLAIND_STATE": str(tmp_path_factory.mktemp("state"))}
    with running(block("sh", "serve --endpoints examples"), "listening on http://127.0.0.1:8700", state):
        yield


@pytest.mark.parametrize(
    "command, picture", [("-- demo\n", "Endpoint breast-cancer"), ("-- demo --example spam", "Endpoint spam")]
)
def test_the_demos_draw_what_the_readme_shows(command, picture):
    with running(block("sh", command), "until Ctrl-C") as printed:
        shown = [line for line in block("text", picture).splitlines() if line.strip() != "..."]
        assert [line for line in shown if line not in printed.splitlines()] == []
        assert "\x1b" not in printed


def test_the_curl_line_answers(served):
    assert '"label_headers":["cultivar 1","cultivar 2","cultivar 3"]' in run(block("sh", "curl http"))


def run_python(text, environment={}):
    command, variables = [sys.executable, "-c", text], settings() | environment
    done = subprocess.run(command, cwd=ROOT, env=variables, text=True, capture_output=True, timeout=ENDED_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_boto3_lines_answer(served):
    assert '"kernel_shap":[[{"attributions":[{"attribution":[' in run_python(block("python", "EnableExplanations"))


def test_two_lines_move_a_script_over(served):
    lines = block("sh", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME").splitlines()
    variables = dict(line.removeprefix("export ").split("=") for line in lines)
    assert len(lines) == len(variables) == 2
    script = block("python", "create_endpoint_config")
    # Nothing is left of the first time.
    for _ in range(2):
        answer = json.loads(run_python(script, CREDENTIALS | variables))
        assert len(answer["explanations"]["kernel_shap"][0]) == 30


def test_the_devices_are_listed():
    assert "--device auto:" in run(block("sh", "-- devices"))


def test_the_definition_of_the_readme_serves(serve, tmp_path):
    folder = tmp_path / "loans"
    folder.mkdir()
    model = (ROOT / "tests/models/3.2-binary.model.json").read_text()
    (folder / "model.json").write_text(model)
    # The fixture has five features, the README's model two.
    definition = block("json", '"model.json"')
    definition = definition.replace('"41,52000"', '"0,0,0,0,0"').replace('["age", "income"]', '["a","b","c","d","e"]')
    (folder / "endpoint.json").write_text(definition)
    answer = serve(folder).invoke("loans", "1,2,3,4,5")
    assert answer.document["label_headers"] == ["default"]


def without_times(text):
    return [re.sub(r" +\d+ ms", " ms", line) for line in text.splitlines()]


def test_the_check_of_the_readme_finds_what_is_missing(stub, tmp_path):
    def answer(asked):
        lines = ['{"label":"no","score":0.31}' for _ in asked.body.splitlines()]
        return Reply("\n".join(lines), "application/jsonlines")

    whole = block("json", "Image").replace("http://127.0.0.1:8080", stub(answer).url)
    folder = tmp_path / "loans-remote"
    folder.mkdir()
    (tmp_path / "records.jsonl").write_text('{"features":[25,31000]}\n{"features":[41,52000]}\n')
    binary = Path(os.environ["EXPLAIND_BIN"]).resolve()
    command = block("sh", "-- check").replace("cargo run --release --", str(binary))

    def check(definition):
        (folder / "endpoint.json").write_text(definition)
        return subprocess.run(
            command, shell=True, cwd=tmp_path, env=settings(), text=True, capture_output=True, timeout=ENDED_S
        )

    lacking = check(whole.replace('"ProbabilityAttribute": "score", ', ""))
    shown = without_times(block("text", "one record"))
    printed = without_times(lacking.stdout)
    start = printed.index(shown[0])
    assert (lacking.returncode, printed[start : start + len(shown)]) == (1, shown), lacking
    complete = check(whole)
    assert (complete.returncode, complete.stdout.splitlines()[-1]) == (0, "Explanations will work."), complete


def test_the_keys_of_the_readme_let_callers_in(serve, examples, tmp_path):
    keys = tmp_path / "keys.json"
    keys.write_text(block("json", "bearer"))
    keys.chmod(0o600)
    settings = {"EXPLAIND_CREDENTIALS": str(keys), "EXPLAIND_STATE": str(tmp_path / "state")}
    server = serve(examples / "wine" / "endpoint.json", environment=settings)
    (bearer,) = re.findall(r'"bearer": "(.*)"', README)
    body = (examples / "wine" / "records.csv").read_text().splitlines()[0]
    for key, status in ((bearer, 200), ("another", 403)):
        headers = {"Content-Type": "text/csv", "Authorization": f"Bearer {key}"}
        assert server.request("POST", "/endpoints/wine/invocations", body, headers).status == status


def test_the_container_of_the_readme_is_explained(serve, stub, tmp_path):
    def answer(asked):
        records = [json.loads(line)["features"] for line in asked.body.splitlines()]
        return Reply("\n".join(f'{{"score":{age + income}}}' for age, income in records), "application/jsonlines")

    definition = block("json", "Image").replace("http://127.0.0.1:8080", stub(answer).url)
    (tmp_path / "endpoint.json").write_text(definition)
    (request,) = re.findall(r"A request of `(.*)` goes there", README)
    answered = serve(tmp_path).invoke("loans-remote", request, "application/jsonlines")
    assert answered.document["predictions"]["data"] == '{"score":31025}'
    assert answered.attributions == [[[-16], [-21000]]]


def test_the_many_models_of_the_readme_answer(serve, tmp_path):
    (target,) = re.findall(r'TargetModel="(.*?)"', README)
    path = tmp_path / "models" / target
    path.parent.mkdir(parents=True)
    path.write_text((ROOT / "tests/models/3.2-binary.model.json").read_text())
    definition = block("json", "MultiModel").replace('"41,52000"', '"0,0,0,0,0"')
    (tmp_path / "endpoint.json").write_text(definition)
    headers = {"Content-Type": "text/csv", "X-Amzn-SageMaker-Target-Model": target}
    answer = serve(tmp_path).request("POST", "/endpoints/loans-by-region/invocations", "1,2,3,4,5", headers)
    assert len(answer.attributions[0]) == 5


def test_the_endpoint_of_texts_answers_with_the_units_that_are_shown(serve, tmp_path):
    (tmp_path / "model.onnx").write_bytes((ROOT / "examples/spam/model.onnx").read_bytes())
    (tmp_path / "endpoint.json").write_text(block("json", "TextConfig"))
    request, shown = block("text", "partial_text").split("→")
    answered = serve(tmp_path).invoke("reviews", request.strip(), "text/csv").document
    documents = (json.loads(shown), answered["explanations"]["kernel_shap"])
    places = [[unit["description"] for unit in record[0]["attributions"]] for (record,) in documents]
    assert places[0] == places[1] and len(places[0]) == 2
