"""The commands of AWS's command line tool, with the server named by --endpoint-url and by the variables."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from aws_variables import CREDENTIALS, ROLE, XGBOOST, arn, aws_variables
from model_archive import booster, packed

AWS = Path(sys.executable).with_name("aws")
ENDED_S = 60
HEADERS = ["age", "income", "debt", "years", "cards"]
EXPLAINER = {
    "ClarifyExplainerConfig": {
        "EnableExplanations": "[0]>`0`",
        "InferenceConfig": {"FeatureHeaders": HEADERS},
        "ShapConfig": {"ShapBaselineConfig": {"MimeType": "text/csv", "ShapBaseline": "0,0,0,0,0"}},
    }
}


@pytest.fixture(scope="module")
def url(serve_api):
    return serve_api().url


class Tool:
    """The commands of one service, run with one way to say where it is."""

    def __init__(self, service, variables, place=()):
        self.service, self.variables, self.place = service, variables, place

    def run(self, *words):
        command = [sys.executable, AWS, self.service, *words, *self.place, "--output", "json"]
        return subprocess.run(command, env=self.variables, capture_output=True, text=True, timeout=ENDED_S)

    def __call__(self, *words):
        """What a command that succeeds prints, read."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, *words):
        """What a command that fails says."""
        done = self.run(*words)
        assert done.returncode != 0, done.stdout
        return done.stderr


@pytest.fixture(scope="module")
def sagemaker(url):
    return Tool("sagemaker", aws_variables(url))


@pytest.fixture(scope="module")
def model(sagemaker, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.tar.gz"
    path.write_bytes(packed(booster(5)))
    container = f"Image={XGBOOST},ModelDataUrl={path}"
    created = sagemaker(
        "create-model", "--model-name", "trees", "--primary-container", container, "--execution-role-arn", ROLE
    )
    assert created == {"ModelArn": arn("model", "trees")}
    return str(path)


def create_config(sagemaker, name, *words):
    variant = "VariantName=AllTraffic,ModelName=trees,InitialInstanceCount=1,InstanceType=ml.m5.large"
    return sagemaker(
        "create-endpoint-config", "--endpoint-config-name", name, "--production-variants", variant, *words
    )


@pytest.mark.parametrize("place", ["by the variables", "by --endpoint-url"])
def test_an_endpoint_from_its_creation_to_its_end(url, model, tmp_path, place):
    by_variables = place == "by the variables"
    named = (aws_variables(url),) if by_variables else (CREDENTIALS, ("--endpoint-url", url))
    sagemaker, runtime = Tool("sagemaker", *named), Tool("sagemaker-runtime", *named)
    explainer, answered = tmp_path / "explainer.json", tmp_path / "answer.json"
    explainer.write_text(json.dumps(EXPLAINER))
    created = create_config(sagemaker, "Cards", "--explainer-config", f"file://{explainer}")
    assert created == {"EndpointConfigArn": arn("endpoint-config", "Cards")}
    tags = ["--tags", "Key=team,Value=risk"]
    created = sagemaker("create-endpoint", "--endpoint-name", "Cards", "--endpoint-config-name", "Cards", *tags)
    assert created == {"EndpointArn": arn("endpoint", "Cards")}
    sagemaker("wait", "endpoint-in-service", "--endpoint-name", "Cards")

    described = sagemaker("describe-endpoint", "--endpoint-name", "Cards")
    assert (described["EndpointStatus"], described["ExplainerConfig"]) == ("InService", EXPLAINER)
    assert described["ProductionVariants"][0]["DeployedImages"][0]["SpecifiedImage"] == XGBOOST
    described = sagemaker("describe-endpoint-config", "--endpoint-config-name", "Cards")
    assert described["ExplainerConfig"] == EXPLAINER
    assert sagemaker("describe-model", "--model-name", "trees")["PrimaryContainer"]["ModelDataUrl"] == model

    request = ["--endpoint-name", "Cards", "--content-type", "text/csv", "--accept", "text/csv", "--body", "1,2,3,4,5"]
    invoke = ["invoke-endpoint", *request]
    said = runtime(*invoke, str(answered))
    assert said == {"ContentType": "application/json", "InvokedProductionVariant": "AllTraffic"}
    (record,) = json.loads(answered.read_text())["explanations"]["kernel_shap"]
    assert [feature["feature_header"] for feature in record] == HEADERS
    runtime(*invoke, "--enable-explanations", "`false`", str(answered))
    assert json.loads(answered.read_text())["explanations"] == {}
    assert "(ModelError)" in runtime.refused(*invoke, "--enable-explanations", "[0", str(answered))

    sagemaker("delete-endpoint", "--endpoint-name", "Cards")
    sagemaker("wait", "endpoint-deleted", "--endpoint-name", "Cards")
    sagemaker("delete-endpoint-config", "--endpoint-config-name", "Cards")
    said = sagemaker.refused("describe-endpoint", "--endpoint-name", "Cards")
    assert "(ValidationException) when calling the DescribeEndpoint operation: " in said
    assert f'Could not find endpoint "{arn("endpoint", "Cards")}"' in said


def test_lists_are_read_in_pages(sagemaker, model):
    names = [f"paged-{i}" for i in range(4)]
    for name in names:
        create_config(sagemaker, name)
    words = ["list-endpoint-configs", "--sort-by", "Name", "--sort-order", "Ascending", "--name-contains", "paged"]

    def listed(page):
        return [config["EndpointConfigName"] for config in page["EndpointConfigs"]]

    assert listed(sagemaker(*words)) == names
    assert listed(sagemaker(*words, "--page-size", "2")) == names
    first = sagemaker(*words, "--max-items", "3")
    rest = sagemaker(*words, "--starting-token", first["NextToken"])
    assert (listed(first), listed(rest)) == (names[:3], names[3:])
    assert [found["ModelName"] for found in sagemaker("list-models")["Models"]] == ["trees"]
    assert sagemaker("list-endpoints")["Endpoints"] == []


def test_tags_are_added_listed_and_taken_away(sagemaker, model):
    resource = ["--resource-arn", arn("model", "trees")]
    sagemaker("add-tags", *resource, "--tags", "Key=team,Value=risk", "Key=stage,Value=test")
    both = [{"Key": "team", "Value": "risk"}, {"Key": "stage", "Value": "test"}]
    assert sorted(sagemaker("list-tags", *resource)["Tags"], key=str) == sorted(both, key=str)
    sagemaker("delete-tags", *resource, "--tag-keys", "stage")
    assert sagemaker("list-tags", *resource)["Tags"] == both[:1]


def test_a_failed_endpoint_ends_the_waiting(sagemaker, model):
    explainer = json.dumps(EXPLAINER).replace('"0,0,0,0,0"', '"0"')
    create_config(sagemaker, "narrow", "--explainer-config", explainer)
    sagemaker("create-endpoint", "--endpoint-name", "narrow", "--endpoint-config-name", "narrow")
    assert "terminal failure state" in sagemaker.refused("wait", "endpoint-in-service", "--endpoint-name", "narrow")
    described = sagemaker("describe-endpoint", "--endpoint-name", "narrow")
    assert described["EndpointStatus"] == "Failed" and "ShapBaseline" in described["FailureReason"]
