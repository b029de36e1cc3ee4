"""Models behind MLflow's scoring server, asked with boto3: records come and scores go as for every other container."""

import json
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction

import pandas as pd
import pytest
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from containers import request
from games import game, shapley
from runtime import CSV, JSON_LINES, JSON_RECORDS, attributions, explained, runtime, written
from scoring_server import save, scoring_server

NEAR = Fraction(1, 10**9)
# The protocol says how records are written.
INFERENCE = {member: value for member, value in JSON_RECORDS.items() if member != "ContentTemplate"}


@dataclass
class Case:
    """A saved model, what is asked, and what it answers for one row: [n_outputs]."""

    folder: object
    records: list
    baselines: list
    scores: object
    columns: list | None = None


def numbers(folder):
    """Without a signature: columns have no names."""
    data = load_breast_cancer()
    rows = data.data[:, :5]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(rows, data.target)
    save(model, folder, pyfunc_predict_fn="predict_proba")
    records, baselines = rows[[0, 20]].tolist(), rows[[100, 200]].tolist()
    return Case(folder, records, baselines, lambda row: model.predict_proba([row])[0])


def names(folder):
    """With a signature of named columns, one of them text."""
    data = load_breast_cancer(as_frame=True)
    table = data.data[["mean radius", "mean texture", "mean smoothness"]]
    table = table.assign(kind=["fine" if error < 0.4 else "coarse" for error in data.data["radius error"]])
    columns = make_column_transformer((OneHotEncoder(), ["kind"]), remainder=StandardScaler())
    model = make_pipeline(columns, LogisticRegression(C=0.1)).fit(table, data.target)
    save(
        model,
        folder,
        pyfunc_predict_fn="predict_proba",
        signature=infer_signature(table, model.predict_proba(table)),
    )
    records, baselines = table.iloc[[0, 20]].values.tolist(), table.iloc[[100]].values.tolist()
    assert {row[3] for row in records} == {"fine", "coarse"}

    def scores(row):
        return model.predict_proba(pd.DataFrame([row], columns=list(table)))[0]

    return Case(folder, records, baselines, scores, list(table))


def regression(folder):
    """One number for each record."""
    data = load_diabetes()
    rows = data.data[:, :4]
    model = LinearRegression().fit(rows, data.target)
    save(model, folder)
    return Case(folder, rows[[0, 20]].tolist(), rows[[100]].tolist(), lambda row: model.predict([row]))


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {make.__name__: make(folder / make.__name__) for make in (numbers, names, regression)}


@pytest.fixture(scope="module")
def endpoints(cases, serve, write_definition):
    """A client of boto3 that knows an endpoint for each case, and the ports of the scoring servers."""
    with ExitStack() as stack:
        ports = {name: stack.enter_context(scoring_server(case.folder)) for name, case in cases.items()}
        definitions = []
        for name, case in cases.items():
            container = {"Image": f"http://127.0.0.1:{ports[name]}", "Environment": {"EXPLAIND_PROTOCOL": "mlflow"}}
            inference = INFERENCE | ({"FeatureHeaders": case.columns} if case.columns else {})
            baseline = {"ShapBaselineConfig": {"ShapBaseline": written(case.baselines, CSV)}}
            definitions.append(
                write_definition(name, container, {"InferenceConfig": inference, "ShapConfig": baseline})
            )
        yield runtime(serve(*definitions).url), ports


def invoke(client, name, body, content_type, accept=None):
    accept = accept or content_type
    return client.invoke_endpoint(EndpointName=name, ContentType=content_type, Accept=accept, Body=body)


def scores_in(data, content_type):
    """[n_records][n_outputs]"""
    lines = data.splitlines()
    if content_type == CSV:
        return [[float(score) for score in line.split(",")] for line in lines]
    scores = [json.loads(line)["score"] for line in lines]
    return [score if isinstance(score, list) else [score] for score in scores]


@pytest.mark.parametrize("content_type", [CSV, JSON_LINES])
@pytest.mark.parametrize("name", ["numbers", "names", "regression"])
def test_attributions_are_the_shapley_values_of_the_served_model(endpoints, cases, name, content_type):
    client, _ = endpoints
    case = cases[name]
    document = explained(invoke(client, name, written(case.records, content_type), content_type))
    n_outputs = len(case.scores(case.records[0]))
    for record, got in zip(case.records, attributions(document), strict=True):
        for output_idx in range(n_outputs):
            values = game(lambda row: case.scores(row)[output_idx], record, case.baselines)
            expected = shapley(values, len(record))
            near = [abs(a[output_idx] - b) < NEAR * max(1, abs(b)) for a, b in zip(got, expected, strict=True)]
            assert near == [True] * len(record)
            assert max(map(abs, expected)) > Fraction(1, 100)
        assert {len(feature) for feature in got} == {n_outputs}


@pytest.mark.parametrize("accept", [CSV, JSON_LINES])
@pytest.mark.parametrize("content_type", [CSV, JSON_LINES])
@pytest.mark.parametrize("name", ["numbers", "names", "regression"])
def test_two_records_get_two_lines_of_scores_as_the_client_accepts(endpoints, cases, name, content_type, accept):
    client, _ = endpoints
    case = cases[name]
    document = explained(invoke(client, name, written(case.records, content_type), content_type, accept))
    assert document["predictions"]["content_type"] == accept
    got = scores_in(document["predictions"]["data"], accept)
    expected = [pytest.approx(case.scores(record).tolist(), rel=1e-12) for record in case.records]
    assert got == expected


def test_csv_would_lose_its_first_record_there(endpoints, cases):
    """Why no CSV is sent."""
    _, ports = endpoints
    status, text = request(ports["numbers"], "POST", "/invocations", written(cases["numbers"].records, CSV), CSV)
    assert (status, len(json.loads(text)["predictions"])) == (200, 1)


def test_an_error_of_the_model_is_told_without_its_files(endpoints, cases):
    client, _ = endpoints
    record = cases["numbers"].records[0]
    body = written([[*record[:4], "large"]], CSV)
    with pytest.raises(client.exceptions.ModelError) as error:
        invoke(client, "numbers", body, CSV)
    response = error.value.response
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["OriginalStatusCode"]) == (424, 400)
    for text in (response["OriginalMessage"], response["Error"]["Message"]):
        assert text.isprintable() and "Traceback" not in text and "site-packages" not in text
    assert response["OriginalMessage"]
