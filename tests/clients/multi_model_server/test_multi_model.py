"""Many models in one multi-model-server, asked with boto3: TargetModel picks one, which is loaded and unloaded for real."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction

import pytest
from botocore.exceptions import ClientError

from containers import request
from games import game, shapley
from model_server import model_server, save
from models import fit, rows, score
from runtime import CSV, attributions, explained, runtime, written

JSON = "application/json"
N_CALLS = 8
NEAR = Fraction(1, 10**9)
RECORDS, BASELINES = rows(5, 0, 20), rows(5, 100)
# The next load takes a while and fails.
FAILS_ONCE = """
import pathlib
import time

if not (mark := pathlib.Path(__file__).with_name("failed")).exists():
    mark.touch()
    time.sleep(1)
    raise RuntimeError("This load fails.")
"""
# Strengths of the coefficients tell the models apart.
MODELS = {"a": 0.01, "b": 0.001, "c": 0.1, "d": 1.0}


@pytest.fixture(scope="module")
def models():
    return {name: fit(5, strength) for name, strength in MODELS.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory, models):
    """The folder with the folders of the models. One more lies beside it."""
    folder = tmp_path_factory.mktemp("multi") / "models"
    for name, model in models.items():
        save(model, folder / name)
    save(models["a"], folder.parent / "outside")
    return folder


class Endpoint:
    """An explaind in front of a model server."""

    def __init__(self, server, port):
        self.client = runtime(server.url, max_pool_connections=N_CALLS)
        self.port = port

    def invoke(self, target=None, n_attempts=2):
        """A model that is not ready is asked again: a server that found no memory for it may list it without workers for
        a minute, until it is known that it starts none."""
        options = {"TargetModel": target} if target is not None else {}
        body = written(RECORDS, CSV)
        try:
            return self.client.invoke_endpoint(EndpointName="many", ContentType=CSV, Accept=CSV, Body=body, **options)
        except self.client.exceptions.ModelNotReadyException:
            if n_attempts == 1:
                raise
            return self.invoke(target, n_attempts - 1)

    def refusal(self, target=None):
        with pytest.raises(ClientError) as error:
            self.invoke(target)
        return error.value.response

    def loaded(self):
        """{the folder's name: the name that the server knows the model by}"""
        status, text = request(self.port, "GET", "/models")
        assert status == 200, text
        return {model["modelUrl"].rpartition("/")[2]: model["modelName"] for model in json.loads(text)["models"]}

    def unload(self, name):
        status, text = request(self.port, "DELETE", f"/models/{self.loaded()[name]}")
        assert status == 200, text


@pytest.fixture(scope="module")
def deploy(serve, write_definition, store):
    """deploy(port) serves the store's models from the model server at this port."""

    def deploy(port):
        container = {"Image": f"http://127.0.0.1:{port}", "Mode": "MultiModel", "ModelDataUrl": str(store)}
        explainer = {"ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": written(BASELINES, CSV)}}}
        # A model server starts a process for each model, which takes as long as a busy machine likes.
        patient = {"EXPLAIND_MODEL_LOAD_MS": "50000"}
        return Endpoint(serve(write_definition("many", container, explainer), environment=patient), port)

    return deploy


@pytest.fixture(scope="module")
def port():
    with model_server() as port:
        yield port


@pytest.fixture(scope="module")
def endpoint(deploy, port):
    return deploy(port)


def check(response, model):
    """The document explains this model and no other."""
    document = explained(response)
    said = [float(line) for line in document["predictions"]["data"].splitlines()]
    assert said == pytest.approx([score(model)(record) for record in RECORDS], abs=1e-12)
    for record, got in zip(RECORDS, attributions(document), strict=True):
        expected = shapley(game(score(model), record, BASELINES), 5)
        assert [abs(a - b) < NEAR for (a,), b in zip(got, expected, strict=True)] == [True] * 5


def test_the_target_model_is_loaded_by_an_opaque_name_and_answers(endpoint, models):
    for name in ("a", "b"):
        check(endpoint.invoke(name), models[name])
        assert endpoint.loaded()[name] != name


def test_eight_concurrent_first_calls_load_once_and_all_are_answered(endpoint, models):
    assert "c" not in endpoint.loaded()
    with ThreadPoolExecutor(N_CALLS) as pool:
        responses = list(pool.map(endpoint.invoke, ["c"] * N_CALLS))
    for response in responses:
        check(response, models["c"])
    _, text = request(endpoint.port, "GET", "/models")
    assert text.count('/c"') == 1


def test_a_model_that_is_loaded_already_is_used(endpoint, deploy, models):
    check(endpoint.invoke("a"), models["a"])
    before = endpoint.loaded()
    # Another process knows nothing of what the first has loaded.
    check(deploy(endpoint.port).invoke("a"), models["a"])
    assert endpoint.loaded() == before


@contextmanager
def loaded_by_somebody(endpoint, name, folder, expected):
    """Begins when the server knows the name. Its load then ends with the expected status."""
    with ThreadPoolExecutor() as pool:
        body = json.dumps({"model_name": name, "url": str(folder)})
        load = pool.submit(request, endpoint.port, "POST", "/models", body, JSON)
        while request(endpoint.port, "GET", f"/models/{name}")[0] != 200:
            assert not load.done(), load.result()
        yield
        assert load.result()[0] == expected, load.result()


def test_a_model_that_somebody_loads_at_the_same_moment_is_used(endpoint, deploy, store, models):
    check(endpoint.invoke("a"), models["a"])
    name = endpoint.loaded()["a"]
    newcomer = deploy(endpoint.port)
    endpoint.unload("a")
    with loaded_by_somebody(endpoint, name, store / "a", 200):
        check(newcomer.invoke("a"), models["a"])


def test_a_request_that_waits_for_a_model_that_somebody_fails_to_load_is_answered(endpoint, deploy, store, models):
    folder = save(models["a"], store / "fragile")
    check(endpoint.invoke("fragile"), models["a"])
    name = endpoint.loaded()["fragile"]
    newcomer = deploy(endpoint.port)
    endpoint.unload("fragile")
    service = folder / "service.py"
    service.write_text(service.read_text() + FAILS_ONCE)
    # The server never answers what waited for a model that it could not load.
    with loaded_by_somebody(endpoint, name, folder, 500):
        check(newcomer.invoke("fragile"), models["a"])


def test_a_model_unloaded_behind_its_back_is_loaded_again(endpoint, models):
    check(endpoint.invoke("a"), models["a"])
    endpoint.unload("a")
    check(endpoint.invoke("a"), models["a"])
    assert "a" in endpoint.loaded()


@pytest.mark.parametrize("target", [None, "nothing", "../outside", "%2e%2e/outside", "a/../../outside", "/etc", "."])
def test_a_target_model_that_is_none_is_refused(endpoint, store, target):
    response = endpoint.refusal(target)
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == ("ValidationError", 400)
    assert str(store.parent) not in response["Error"]["Message"]
    assert "outside" not in endpoint.loaded()


def test_an_absolute_path_inside_the_folder_is_refused_as_well(endpoint, store):
    assert endpoint.refusal(str(store / "a"))["Error"]["Code"] == "ValidationError"


def test_where_memory_ends_the_model_unused_for_longest_makes_room(deploy, models, tmp_path):
    for seat in ("first", "second"):
        (tmp_path / seat).touch()
    with model_server(seats=tmp_path) as port:
        endpoint = deploy(port)
        for name in ("a", "b", "a"):
            check(endpoint.invoke(name), models[name])
        check(endpoint.invoke("d"), models["d"])
        assert set(endpoint.loaded()) == {"a", "d"}
        check(endpoint.invoke("b"), models["b"])
        assert set(endpoint.loaded()) == {"b", "d"}
