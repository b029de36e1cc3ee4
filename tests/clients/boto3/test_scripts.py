"""Scripts as they are written for SageMaker run as they are, with two variables that say where SageMaker is. Their
models lie in S3, as moto plays it."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from aws_variables import CREDENTIALS, REGION, aws_variables
from conftest import ROOT, Reply
from control import Account
from model_archive import booster, packed
from moto.server import ThreadedMotoServer

SCRIPTS = Path(__file__).parent / "scripts"
BUCKET = "team-models"
ENDED_S = 60
MODELS = ROOT / "tests/models"
# Of the columns that the models look at: what is usual, and how much it varies.
LOANS = [(40, 12), (50_000, 20_000), (9_000, 6_000), (8, 5), (4, 2)]
HOUSES = [(2000, 10), (2500, 800), (3.5, 1), (2.5, 1), (0.5, 0.3)]
# What a word adds to how well a review speaks of its thing.
MOODS = {"Lovely": 0.375, "broke": -0.25}


@pytest.fixture(scope="module")
def s3():
    """The variables of a process that finds the models."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    client = boto3.client("s3", endpoint_url=url, region_name=REGION, **keys)
    client.create_bucket(Bucket=BUCKET)
    for key, body in {
        "loans/model.tar.gz": packed(booster(5, units=LOANS)),
        "loans/baseline.csv": b"40,50000,9000,8,4\n52,70000,15000,13,6",
        "reviews/model.tar.gz": b"",
        "houses/Chicago_IL.tar.gz": packed(booster(6, MODELS / "3.2-regression.model.json", HOUSES)),
        "houses/Houston_TX.tar.gz": packed(booster(6, MODELS / "3.2-poisson.model.json", HOUSES)),
    }.items():
        client.put_object(Bucket=BUCKET, Key=key, Body=body)
    yield CREDENTIALS | {"AWS_ENDPOINT_URL_S3": url}
    server.stop()


def mood(asked):
    """The container of reviews."""
    texts = [text for (text,) in csv.reader(asked.body.splitlines())]
    scores = [0.5 + sum(weight for word, weight in MOODS.items() if word in text) for text in texts]
    return Reply("\n".join(map(repr, scores)))


@pytest.fixture(scope="module")
def account(serve_api, s3, stub):
    container = stub(mood)
    backends = {"EXPLAIND_CONTAINER_MAP": f"*/huggingface-pytorch-inference:*={container.url}"}
    return Account(serve_api(environment=s3 | backends).url)


def run(account, script):
    command = [sys.executable, SCRIPTS / script]
    return subprocess.run(command, env=aws_variables(account.url), capture_output=True, text=True, timeout=ENDED_S)


def printed(account, script):
    """The lines of a script that ends well and leaves nothing behind."""
    done = run(account, script)
    assert done.returncode == 0, done.stderr
    for operation, key in (("models", "Models"), ("endpoint_configs", "EndpointConfigs"), ("endpoints", "Endpoints")):
        assert getattr(account.control, f"list_{operation}")()[key] == []
    return done.stdout.splitlines()


def names_of_features(document):
    """Every record is explained by something. Returns the names of its features."""
    for record in document["explanations"]["kernel_shap"]:
        values = [feature["attributions"][0]["attribution"][0] for feature in record]
        assert any(values)
    return [[feature["feature_header"] for feature in record] for record in document["explanations"]["kernel_shap"]]


def test_the_script_of_a_table_runs(account):
    status, *documents = printed(account, "tabular.py")
    assert status == "InService"
    some, every, none = map(json.loads, documents)
    scores = [float(line) for line in every["predictions"]["data"].split("\n")]
    assert [record is not None for record in some["explanations"]["kernel_shap"]] == [score > 0.4 for score in scores]
    assert {score > 0.4 for score in scores} == {True, False}
    headers = ["Age", "Income", "Debt", "Years employed", "Accounts"]
    assert names_of_features(every) == [headers, headers]
    assert (none["explanations"], none["label_headers"]) == ({}, ["default"])


def test_the_script_of_many_models_runs(account):
    chicago, houston, nowhere = map(json.loads, printed(account, "multi_model.py"))
    (headers,) = names_of_features(chicago)
    assert headers[0] == "YEAR_BUILT" and names_of_features(houston) == [headers]
    assert chicago["predictions"] != houston["predictions"]
    assert "Nowhere.tar.gz" in nowhere


def test_the_script_of_texts_runs(account):
    (document,) = map(json.loads, printed(account, "text.py"))
    ((feature,),) = document["explanations"]["kernel_shap"]
    assert feature["feature_type"] == "text" and "feature_header" not in feature
    praise, blame = feature["attributions"]
    assert praise["description"] == {"partial_text": "Lovely fabric.", "start_idx": 0}
    assert blame["description"] == {"partial_text": "The zip broke after a week.", "start_idx": 15}
    assert [praise["attribution"], blame["attribution"]] == [[pytest.approx(0.375)], [pytest.approx(-0.25)]]
