"""One model in multi-model-server, asked with boto3: its own Shapley values, its own answers, its own errors."""

import sys
from fractions import Fraction

import pytest

from containers import request
from games import game, shapley
from model_server import model_server, save
from models import fit, rows, score
from runtime import CSV, JSON_LINES, JSON_RECORDS, attributions, explained, runtime, written

REQUEST_BYTES_MAX = 4096
NEAR = Fraction(1, 10**9)


def explainer(baselines, inference={}, **shap):
    return {
        "InferenceConfig": JSON_RECORDS | inference,
        "ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": written(baselines, CSV)}} | shap,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def deploy(serve, write_definition):
    """deploy(port, explainer) returns a call of boto3 on an endpoint of the model server."""

    def deploy(port, config):
        definition = write_definition("remote", {"Image": f"http://127.0.0.1:{port}"}, config)
        client = runtime(serve(definition).url)

        def invoke(body, content_type):
            options = {"EndpointName": "remote", "ContentType": content_type, "Accept": content_type}
            return client.invoke_endpoint(Body=body, **options)

        invoke.client = client
        return invoke

    return deploy


@pytest.fixture(scope="module")
def small(folder):
    """A model of five features, and the port of its server."""
    model = fit(5)
    with model_server(save(model, folder / "small")) as port:
        yield model, port


@pytest.fixture(scope="module")
def invoke_small(deploy, small):
    return deploy(small[1], explainer(rows(5, 100, 200)))


@pytest.mark.parametrize("content_type", [CSV, JSON_LINES])
def test_attributions_are_the_shapley_values_of_the_served_model(invoke_small, small, content_type):
    model, _ = small
    records, baselines = rows(5, 0, 20, 400), rows(5, 100, 200)
    document = explained(invoke_small(written(records, content_type), content_type))
    for record, got in zip(records, attributions(document), strict=True):
        expected = shapley(game(score(model), record, baselines), 5)
        assert [abs(a - b) < NEAR for (a,), b in zip(got, expected, strict=True)] == [True] * 5
        assert max(map(abs, expected)) > Fraction(1, 100)


@pytest.mark.parametrize("content_type", [CSV, JSON_LINES])
def test_predictions_are_what_the_server_says_itself(invoke_small, small, content_type):
    _, port = small
    body = written(rows(5, 0, 20, 400), content_type)
    status, said = request(port, "POST", "/invocations", body, content_type)
    assert (status, len(said.splitlines())) == (200, 3)
    document = explained(invoke_small(body, content_type))
    assert document["predictions"] == {"content_type": content_type, "data": said}


def test_on_the_scale_of_the_logit_a_logistic_regression_shares_by_its_coefficients(deploy, folder):
    model, (record,), (baseline,) = fit(20), rows(20, 20), rows(20, 200)
    with model_server(save(model, folder / "large")) as port:
        invoke = deploy(port, explainer([baseline], UseLogit=True))
        document = explained(invoke(written([record], CSV), CSV))
    scaler, regression = model[0], model[1]
    expected = regression.coef_[0] * (scaler.transform([record]) - scaler.transform([baseline]))[0]
    (got,) = attributions(document)
    assert [abs(float(a) - b) < 1e-6 for (a,), b in zip(got, expected, strict=True)] == [True] * 20
    assert max(abs(expected)) > 0.1


def test_an_error_of_the_model_is_told_without_addresses_and_paths(invoke_small, folder):
    (record,) = rows(5, 0)
    body = written([[*record[:4], "http://10.0.0.7:8080/secret?key=1"]], CSV)
    with pytest.raises(invoke_small.client.exceptions.ModelError) as error:
        invoke_small(body, CSV)
    response = error.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == 500
    assert response["OriginalMessage"].startswith("could not convert string to float")
    for text in (response["OriginalMessage"], response["Error"]["Message"]):
        assert text.isprintable() and "://" not in text and "10.0.0.7" not in text
        # The server's answer is a traceback through these folders.
        assert sys.prefix not in text and str(folder) not in text


def test_requests_that_the_server_finds_too_large_become_smaller(deploy, folder):
    model, records, baselines = fit(8), rows(8, 0, 20), rows(8, 100)
    with model_server(save(model, folder / "narrow"), max_request_size=REQUEST_BYTES_MAX) as port:
        all_coalitions = written(records[:1] * 2**8, CSV)
        assert request(port, "POST", "/invocations", all_coalitions, CSV) == (413, "")
        invoke = deploy(port, explainer(baselines, {"MaxRecordCount": 2**8}))
        document = explained(invoke(written(records, CSV), CSV))
    for record, got in zip(records, attributions(document), strict=True):
        expected = shapley(game(score(model), record, baselines), 8)
        assert [abs(a - b) < NEAR for (a,), b in zip(got, expected, strict=True)] == [True] * 8
