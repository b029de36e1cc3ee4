"""What docs/compatibility.md says of the control plane's members: kept ones come back, refused ones are named."""

import json
import re
from pathlib import Path

import boto3
import pytest
import service_model
from botocore.exceptions import ClientError
from conftest import Reply
from violations import Shapes, lower

ROOT = Path(__file__).parents[3]
MODEL = json.loads(service_model.FILE.read_text())
SHAPES = Shapes(MODEL["shapes"])
IMAGE = "stub/model:1"
# Where Describe shows the members of a request.
DESCRIBED = {
    "CreateModel": ("describe_model", "ModelName"),
    "CreateEndpointConfig": ("describe_endpoint_config", "EndpointConfigName"),
    "CreateEndpoint": ("describe_endpoint", "EndpointName"),
}


def rows():
    """(operation, path, state) of every member that the page lists; tests/tidy holds that it lists them all."""
    section = (ROOT / "docs/compatibility.md").read_text().split("\n## Control plane\n")[1].split("\n## ")[0]
    for part in section.split("\n### ")[1:]:
        heading, *lines = part.splitlines()
        for line in lines:
            if line.startswith("| `"):
                cell, state = (cell.strip() for cell in line.split("|")[1:3])
                for path in paths(cell):
                    yield from ((operation, path, state) for operation in re.findall("`(.*?)`", heading))


def paths(cell):
    before, _, below = cell.partition("`: ")
    named = re.findall("`(.*?)(?:`|$)", before)
    return [*named, *(f"{named[-1]}.{member}" for member in re.findall("`(.*?)`", below))]


def of_state(state):
    found = dict.fromkeys((operation, path) for operation, path, found in rows() if found == state)
    return [(operation, path) for operation, path in found if operation in DESCRIBED]


@pytest.fixture(scope="module")
def client(serve, stub, examples, tmp_path_factory):
    container = stub(lambda asked: Reply("0.5"))
    environment = {
        "EXPLAIND_STATE": str(tmp_path_factory.mktemp("state")),
        "EXPLAIND_CONTAINER_MAP": f"{IMAGE}={container.url}",
    }
    client = boto3.client(
        "sagemaker",
        endpoint_url=serve(examples / "wine" / "endpoint.json", environment=environment).url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_model(ModelName="model", PrimaryContainer={"Image": IMAGE})
    client.create_endpoint_config(
        EndpointConfigName="config", ProductionVariants=[{"VariantName": "a", "ModelName": "model"}]
    )
    return client


def request(operation, path, name):
    """A request with the member, of which all the rest can be served."""
    values = SHAPES.holding(MODEL["operations"][operation], path.split("."))
    values[DESCRIBED[operation][1]] = name
    if operation == "CreateModel":
        values.setdefault("PrimaryContainer", {})["Image"] = IMAGE
    elif operation == "CreateEndpointConfig":
        for variant in values["ProductionVariants"]:
            variant["ModelName"] = "model"
    else:
        values["EndpointConfigName"] = "config"
    return values


def call(client, operation, values):
    return getattr(client, re.sub("(?<!^)([A-Z])", r"_\1", operation).lower())(**values)


@pytest.mark.parametrize("operation, path", of_state("kept"))
def test_a_kept_member_is_given_back(client, operation, path):
    describe, name_of = DESCRIBED[operation]
    name = re.sub(r"\W", "-", path)[-63:].strip("-")
    values = request(operation, path, name)
    call(client, operation, values)
    described = getattr(client, describe)(**{name_of: name})
    described["DeploymentConfig"] = described.pop("LastDeploymentConfig", None)
    top = path.split(".")[0]
    assert described[top] == values[top]


def merged(values, more):
    """All members of both."""
    if isinstance(values, dict) and isinstance(more, dict):
        return {name: merged(values.get(name), more.get(name)) for name in values | more}
    if isinstance(values, list) and isinstance(more, list) and values and more:
        return [merged(values[0], more[0])]
    return more if values is None else values


def test_an_endpoint_with_all_that_is_kept_serves(client):
    """But for a configuration of serverless variants."""
    made = {operation: {} for operation in DESCRIBED}
    for operation, path in of_state("kept"):
        if "ServerlessConfig" not in path:
            made[operation] = merged(request(operation, path, "all"), made[operation])
    for variant in made["CreateEndpointConfig"]["ProductionVariants"]:
        variant["ModelName"] = "all"
    made["CreateEndpoint"]["EndpointConfigName"] = "all"
    for operation, values in made.items():
        call(client, operation, values)
    client.get_waiter("endpoint_in_service").wait(EndpointName="all")


@pytest.mark.parametrize("operation, path", of_state("refused"))
def test_a_refused_member_is_named(client, operation, path):
    with pytest.raises(ClientError) as error:
        call(client, operation, request(operation, path, "refused"))
    assert error.value.response["Error"]["Code"] == "ValidationException"
    message = error.value.response["Error"]["Message"]
    named = re.findall(r"at '(.*?)' failed to satisfy constraint: Member must (?:be|have) ", message)
    named = [re.sub(r"\.\d+\.member", "", name) for name in named]
    whole = ".".join(map(lower, path.split(".")))
    assert named and all(f"{whole}.".startswith(f"{name}.") for name in named), message


def test_desired_counts_and_concurrency_are_shown(client):
    serverless = {"MemorySizeInMB": 1024, "MaxConcurrency": 1}
    a, b = ({"VariantName": name, "ModelName": "model"} for name in "ab")
    variants = [a | {"InitialInstanceCount": 1}, b | {"ServerlessConfig": serverless}]
    client.create_endpoint_config(EndpointConfigName="desired", ProductionVariants=variants)
    client.create_endpoint(EndpointName="desired", EndpointConfigName="desired")
    client.get_waiter("endpoint_in_service").wait(EndpointName="desired")
    update = {"VariantName": "b", "ServerlessUpdateConfig": {"MaxConcurrency": 7}}

    def desire(*desired):
        client.update_endpoint_weights_and_capacities(EndpointName="desired", DesiredWeightsAndCapacities=desired)

    desire({"VariantName": "a", "DesiredInstanceCount": 3, "DesiredWeight": 0.5}, update)
    a, b = client.describe_endpoint(EndpointName="desired")["ProductionVariants"]
    assert (a["DesiredInstanceCount"], a["DesiredWeight"]) == (3, 0.5)
    assert b["CurrentServerlessConfig"] == serverless | {"MaxConcurrency": 7}
    with pytest.raises(ClientError, match="1.member.serverlessUpdateConfig' failed .* has no ServerlessConfig"):
        desire(update | {"VariantName": "a"})


@pytest.mark.parametrize("kind", ["CANARY", "LINEAR"])
def test_traffic_moves_in_one_step(client, kind):
    routing = {"TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": 0}}
    values = request("CreateEndpoint", "DeploymentConfig", "refused")
    with pytest.raises(ClientError, match="trafficRoutingConfiguration.type' failed .* must be ALL_AT_ONCE"):
        call(client, "CreateEndpoint", values | {"DeploymentConfig": {"BlueGreenUpdatePolicy": routing}})


def test_pipelines_and_captured_data_are_refused(client):
    with pytest.raises(ClientError, match="at 'containers' failed .* inference pipelines are not supported"):
        client.create_model(ModelName="refused", Containers=[{"Image": IMAGE}] * 2)
    values = request("CreateEndpointConfig", "DataCaptureConfig", "refused")
    values["DataCaptureConfig"]["EnableCapture"] = True
    with pytest.raises(ClientError, match="at 'dataCaptureConfig.enableCapture' failed .* must be false"):
        call(client, "CreateEndpointConfig", values)
