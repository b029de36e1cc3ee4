"""Version 2 of the SageMaker SDK deploys, explains, updates and deletes, with the configurations and the assertions of
its own test of explainers."""

import json
import time
from types import SimpleNamespace

import boto3
import pytest
from aws_variables import CREDENTIALS, REGION, ROLE, arn, aws_variables
from botocore.exceptions import ClientError
from conftest import Reply
from model_archive import booster, packed
from sagemaker import Session, image_uris
from sagemaker.deserializers import JSONDeserializer, JSONLinesDeserializer
from sagemaker.exceptions import UnexpectedStatusException
from sagemaker.explainer import (
    ClarifyExplainerConfig,
    ClarifyInferenceConfig,
    ClarifyShapBaselineConfig,
    ClarifyShapConfig,
    ExplainerConfig,
)
from sagemaker.model import Model
from sagemaker.predictor import Predictor
from sagemaker.serializers import CSVSerializer, JSONLinesSerializer

INSTANCE = {"initial_instance_count": 1, "instance_type": "ml.m5.large"}
TAGS = [{"Key": "team", "Value": "risk"}]
RECORD = ",".join(["42"] * 7)
PERSON = "25, 2, 226802, 1, 7, 4, 6, 3, 2, 1, 0, 0, 40, 37"
POLL_S = 0.1


@pytest.fixture(scope="module")
def container(stub):
    """The Linear Learner: JSON Lines there and back."""

    def answer(asked):
        records = [json.loads(line)["features"] for line in asked.body.splitlines()]
        scores = [0.2 + 0.001 * record[0] + 0.01 * record[11] for record in records]
        lines = [json.dumps({"score": score, "predicted_label": int(score > 0.5)}) for score in scores]
        return Reply("\n".join(lines), "application/jsonlines")

    return stub(answer)


@pytest.fixture(scope="module")
def url(serve_api, container):
    return serve_api(environment={"EXPLAIND_CONTAINER_MAP": f"*/linear-learner:*={container.url}"}).url


@pytest.fixture(params=["found by the variables", "given clients"])
def session(request, url, monkeypatch):
    by_variables = request.param == "found by the variables"
    for name, value in (aws_variables(url) if by_variables else CREDENTIALS).items():
        monkeypatch.setenv(name, value)
    # The SDK sleeps for 30 s before it looks at a new endpoint for the first time.
    monkeypatch.setattr("sagemaker.session.time", SimpleNamespace(sleep=lambda _: time.sleep(POLL_S)))
    if by_variables:
        return Session()
    clients = [boto3.client(name, endpoint_url=url) for name in ("sagemaker", "sagemaker-runtime")]
    return Session(boto3.Session(), *clients)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "model.tar.gz"
    path.write_bytes(packed(booster(7)))
    return str(path)


def xgboost(session, archive, name="xgboost", **options):
    image = image_uris.retrieve("xgboost", REGION, version="1")
    return Model(image, archive, ROLE, Predictor, name=name, sagemaker_session=session, **options)


def explainer(baseline="1,2,3,4,5,6,7", inference=None):
    shap = ClarifyShapConfig(ClarifyShapBaselineConfig("text/csv", baseline), use_logit=False)
    return ExplainerConfig(ClarifyExplainerConfig(shap, "`true`", inference))


def deploy(model, config, **options):
    options = INSTANCE | {"serializer": CSVSerializer(), "deserializer": JSONDeserializer()} | options
    return model.deploy(endpoint_name=model.name, explainer_config=config, **options)


def delete(predictor):
    """As its own test ends."""
    predictor.delete_model()
    predictor.delete_endpoint()
    client = predictor.sagemaker_session.sagemaker_client
    for gone in (
        lambda: client.describe_endpoint(EndpointName=predictor.endpoint_name),
        lambda: client.describe_endpoint_config(EndpointConfigName=predictor.endpoint_name),
        lambda: client.describe_model(ModelName=predictor.endpoint_name),
    ):
        with pytest.raises(ClientError, match="ValidationException.*Could not find"):
            gone()


def test_an_xgboost_endpoint_explains_unless_the_request_says_false(session, archive):
    predictor = deploy(xgboost(session, archive), explainer(), tags=TAGS)
    client = session.sagemaker_client
    described = client.describe_endpoint_config(EndpointConfigName=predictor.endpoint_name)
    assert described["ExplainerConfig"] == {
        "ClarifyExplainerConfig": {
            "EnableExplanations": "`true`",
            "ShapConfig": {
                "ShapBaselineConfig": {"MimeType": "text/csv", "ShapBaseline": "1,2,3,4,5,6,7"},
                "UseLogit": False,
            },
        }
    }
    assert client.list_tags(ResourceArn=arn("endpoint", "xgboost"))["Tags"] == TAGS
    request = {"EndpointName": predictor.endpoint_name, "ContentType": "text/csv", "Accept": "text/csv"}
    response = session.sagemaker_runtime_client.invoke_endpoint(**request, Body=RECORD)
    assert response["ContentType"] == "application/json"

    answer = predictor.predict(RECORD, initial_args={"Accept": "text/csv"})
    assert answer["explanations"] and answer["predictions"]
    assert len(answer["explanations"]["kernel_shap"][0]) == 7
    off = {"Accept": "text/csv", "EnableExplanations": "`false`"}
    quiet = predictor.predict(RECORD, initial_args=off)
    assert quiet["explanations"] == {}
    assert quiet["predictions"] == answer["predictions"]
    delete(predictor)


def test_a_linear_learner_endpoint_answers_json_lines(session, container):
    inference = ClarifyInferenceConfig(
        features_attribute="features",
        content_template='{"features":$features}',
        probability_attribute="score",
        label_attribute="predicted_label",
    )
    image = image_uris.retrieve("linear-learner", REGION)
    model = Model(image, None, ROLE, Predictor, name="learner", sagemaker_session=session)
    lines = {"serializer": JSONLinesSerializer(), "deserializer": JSONLinesDeserializer()}
    predictor = deploy(model, explainer(PERSON, inference), **lines)
    before = len(container.asked)
    body = f'{{"features":[{PERSON}]}}'
    (answer,) = predictor.predict(body)
    assert answer["predictions"]["content_type"] == "application/jsonlines"
    (older,) = predictor.predict(body.replace("[25,", "[65,"))
    values = [feature["attributions"][0]["attribution"][0] for feature in older["explanations"]["kernel_shap"][0]]
    assert values[0] == pytest.approx(0.04) and values[1:] == [0] * 13
    asked = container.asked[before:]
    assert asked[0].body == body and asked[0].headers["Accept"] == "application/jsonlines"
    delete(predictor)


def test_a_predictor_moves_to_another_model(session, archive):
    predictor = deploy(xgboost(session, archive), explainer())
    flat = xgboost(session, archive, "flat", env={"EXPLAIND_KERNEL": "clarify"})
    flat.create(instance_type="ml.m5.large")
    predictor.update_endpoint(model_name="flat", **INSTANCE, tags=TAGS)
    client = session.sagemaker_client
    config = client.describe_endpoint(EndpointName="xgboost")["EndpointConfigName"]
    assert config != "xgboost"
    described = client.describe_endpoint_config(EndpointConfigName=config)
    assert described["ProductionVariants"][0]["ModelName"] == "flat"
    assert "ExplainerConfig" in described
    assert client.list_tags(ResourceArn=described["EndpointConfigArn"])["Tags"] == TAGS
    assert predictor.predict(RECORD, initial_args={"Accept": "text/csv"})["explanations"]
    predictor.delete_model()
    predictor.delete_endpoint()
    for delete_left in (session.delete_endpoint_config, session.delete_model):
        delete_left("xgboost")


def test_an_endpoint_that_cannot_serve_tells_the_sdk_why(session, archive):
    with pytest.raises(UnexpectedStatusException, match="Failed. Reason: .*ShapBaseline"):
        deploy(xgboost(session, archive), explainer("1,2,3"))
    session.delete_endpoint("xgboost")
    session.delete_endpoint_config("xgboost")
    session.delete_model("xgboost")
