"""The control plane as boto3 meets it: what is created is described as given, answers and errors have AWS's form."""

import contextlib
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import pytest
from aws_variables import ROLE, XGBOOST, arn
from botocore.exceptions import ClientError, WaiterError
from control import BASELINE, MODEL, WAIT, Account, explainer, variant

JSON_1_1 = "application/x-amz-json-1.1"
TAGS = [{"Key": "team", "Value": "risk"}, {"Key": "stage", "Value": ""}]


@pytest.fixture(scope="module")
def server(serve_api):
    return serve_api()


@pytest.fixture(scope="module")
def account(server):
    account = Account(server.url)
    account.model()
    return account


def refused(code, call, *arguments, **members):
    """The text of the error with this code."""
    with pytest.raises(ClientError) as error:
        call(*arguments, **members)
    response = error.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, 400), response
    return response["Error"]["Message"]


def invalid(call, *arguments, **members):
    return refused("ValidationException", call, *arguments, **members)


def is_now(time):
    """Aware of its zone, and of this minute."""
    return abs(datetime.now(timezone.utc) - time) < timedelta(minutes=1)


# From creation to deletion


def test_a_model_is_described_as_it_was_given(account):
    members = {
        "PrimaryContainer": {
            "Image": XGBOOST,
            "Mode": "SingleModel",
            "ModelDataUrl": str(MODEL),
            "Environment": {"EXPLAIND_KERNEL": "clarify", "SAGEMAKER_PROGRAM": "inference.py"},
        },
        "ExecutionRoleArn": ROLE,
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]},
        "EnableNetworkIsolation": True,
    }
    created = account.control.create_model(ModelName="Whole-Model", **members, Tags=TAGS)
    assert created["ModelArn"] == arn("model", "whole-model")
    described = account.control.describe_model(ModelName="Whole-Model")
    assert {name: described[name] for name in members} == members
    assert (described["ModelName"], described["ModelArn"]) == ("Whole-Model", created["ModelArn"])
    assert is_now(described["CreationTime"])
    assert account.control.list_tags(ResourceArn=created["ModelArn"])["Tags"] == TAGS
    account.control.delete_model(ModelName="Whole-Model")
    assert invalid(account.control.describe_model, ModelName="Whole-Model").startswith("Could not find model ")


def test_the_one_container_of_a_list_is_the_models_container(account):
    containers = [{"Image": XGBOOST, "ModelDataUrl": str(MODEL)}]
    account.control.create_model(ModelName="listed", Containers=containers)
    assert account.control.describe_model(ModelName="listed")["Containers"] == containers
    account.serve("listed", [variant(model="listed")], explainer())
    assert json.loads(account.invoke("listed")["Body"].read())["explanations"]["kernel_shap"]
    account.delete("listed")


def test_an_endpoint_config_is_described_as_it_was_given(account):
    members = {
        "ProductionVariants": [variant("A", weight=3.0), variant("B") | {"VolumeSizeInGB": 20}],
        "ExplainerConfig": explainer(EnableExplanations="[0]>`0.5`", InferenceConfig={"LabelHeaders": ["ü"]}),
        "DataCaptureConfig": {
            "EnableCapture": False,
            "InitialSamplingPercentage": 0,
            "DestinationS3Uri": "s3://captured/here",
            "CaptureOptions": [{"CaptureMode": "Input"}],
        },
        "KmsKeyId": "alias/key",
        "ExecutionRoleArn": ROLE,
    }
    created = account.control.create_endpoint_config(EndpointConfigName="Whole-Config", **members, Tags=TAGS)
    assert created["EndpointConfigArn"] == arn("endpoint-config", "whole-config")
    described = account.control.describe_endpoint_config(EndpointConfigName="Whole-Config")
    assert {name: described[name] for name in members} == members
    assert is_now(described["CreationTime"])
    assert account.control.list_tags(ResourceArn=created["EndpointConfigArn"])["Tags"] == TAGS


def test_an_endpoint_is_served_while_it_is_described(account):
    account.config("Whole", [variant("A", weight=3.0), variant("B")], explainer())
    created = account.endpoint("Whole", Tags=TAGS)
    assert created["EndpointArn"] == arn("endpoint", "whole")
    described = account.wait("Whole")
    for at, name, weight in ((0, "A", 3.0), (1, "B", 1.0)):
        shown = described["ProductionVariants"][at]
        (deployed,) = shown.pop("DeployedImages")
        assert is_now(deployed["ResolutionTime"])
        assert deployed["SpecifiedImage"] == XGBOOST
        counts = {"CurrentInstanceCount": 1, "DesiredInstanceCount": 1}
        assert shown == {"VariantName": name, "CurrentWeight": weight, "DesiredWeight": weight} | counts
    assert described["EndpointConfigName"] == "Whole"
    assert described["ExplainerConfig"] == explainer()
    assert is_now(described["CreationTime"]) and described["CreationTime"] <= described["LastModifiedTime"]
    assert "FailureReason" not in described
    answer = json.loads(account.invoke("Whole")["Body"].read())
    assert len(answer["explanations"]["kernel_shap"][0]) == 5

    # What it was made of may go.
    account.control.delete_endpoint_config(EndpointConfigName="Whole")
    account.control.delete_model(ModelName="trees")
    assert account.invoke("Whole")["InvokedProductionVariant"] in ("A", "B")
    account.model()
    account.delete("Whole")
    assert refused("ValidationError", account.invoke, "Whole") == "Endpoint Whole of account 000000000000 not found."
    assert invalid(account.control.list_tags, ResourceArn=created["EndpointArn"])


def test_an_endpoint_without_an_explainer_gives_the_models_answer(account):
    account.serve("plain")
    assert float(account.invoke("plain")["Body"].read()) > 0
    assert refused("ValidationError", account.invoke, "plain", EnableExplanations="`true`")
    account.delete("plain")


def test_names_differ_in_more_than_their_case_and_are_asked_for_as_they_are(account):
    account.serve("Cased", explainer=explainer())
    assert invalid(account.endpoint, "CASED", "Cased").startswith("Cannot create already existing endpoint ")
    assert refused("ValidationError", account.invoke, "cased") == "Endpoint cased of account 000000000000 not found."
    account.delete("Cased")


def test_arns_name_the_account_and_the_region_of_the_server(serve_api):
    environment = {"EXPLAIND_ACCOUNT_ID": "123456789012", "EXPLAIND_REGION": "eu-central-1"}
    account = Account(serve_api(environment=environment).url)
    assert account.model("Ours")["ModelArn"] == "arn:aws:sagemaker:eu-central-1:123456789012:model/ours"
    assert refused("ValidationError", account.invoke, "none") == "Endpoint none of account 123456789012 not found."


# Waiters


def test_waiters_end_with_success_and_with_failure(account):
    in_service = account.control.get_waiter("endpoint_in_service")
    deleted = account.control.get_waiter("endpoint_deleted")
    with pytest.raises(WaiterError, match="Matched expected service error code: ValidationException"):
        in_service.wait(EndpointName="nowhere", WaiterConfig=WAIT)
    deleted.wait(EndpointName="nowhere", WaiterConfig=WAIT)

    account.config("narrow", explainer=explainer("0,0"))
    account.endpoint("narrow")
    for waiter in (in_service, deleted):
        with pytest.raises(WaiterError, match="terminal failure state"):
            waiter.wait(EndpointName="narrow", WaiterConfig=WAIT)
    described = account.describe("narrow")
    assert described["EndpointStatus"] == "Failed"
    assert "ShapBaseline" in described["FailureReason"] and len(described["FailureReason"]) <= 1024
    assert refused("ValidationError", account.invoke, "narrow")
    account.config("wide", explainer=explainer())
    assert invalid(account.control.update_endpoint, EndpointName="narrow", EndpointConfigName="wide")
    account.delete("narrow")


@pytest.mark.parametrize(
    ("container", "reason"),
    [
        ({"ModelDataUrl": str(MODEL.parent / "missing.json")}, "ModelDataUrl"),
        ({"ModelDataUrl": str(MODEL.with_name("3.2-binary.rows.csv"))}, "ModelDataUrl"),
        ({"Environment": {"EXPLAIND_KERNEL": "banzhaf"}}, "EXPLAIND_KERNEL"),
    ],
)
def test_an_endpoint_whose_model_cannot_serve_fails_with_a_reason(account, container, reason):
    account.model("broken", **container)
    account.config("broken", [variant(model="broken")], explainer())
    account.endpoint("broken")
    with pytest.raises(WaiterError):
        account.wait("broken")
    assert reason in account.describe("broken")["FailureReason"]
    account.delete("broken")
    account.control.delete_endpoint_config(EndpointConfigName="broken")
    account.control.delete_model(ModelName="broken")


def test_an_expression_that_does_not_parse_fails_the_endpoint_and_not_its_config(account):
    account.config("unparsable", explainer=explainer(EnableExplanations="[0"))
    account.endpoint("unparsable")
    with pytest.raises(WaiterError):
        account.wait("unparsable")
    assert "EnableExplanations" in account.describe("unparsable")["FailureReason"]
    account.delete("unparsable")


# Refusals


def test_what_is_not_there_is_told_with_its_arn(account):
    call = account.control
    missing_model = f'Could not find model "{arn("model", "none")}".'
    missing_config = f'Could not find endpoint configuration "{arn("endpoint-config", "none")}".'
    missing_endpoint = f'Could not find endpoint "{arn("endpoint", "none")}".'
    weights = [{"VariantName": "A", "DesiredWeight": 1.0}]
    for text, operation, members in [
        (missing_model, call.describe_model, {"ModelName": "None"}),
        (missing_model, call.delete_model, {"ModelName": "None"}),
        (missing_config, call.describe_endpoint_config, {"EndpointConfigName": "None"}),
        (missing_config, call.delete_endpoint_config, {"EndpointConfigName": "None"}),
        (missing_config, call.create_endpoint, {"EndpointName": "e", "EndpointConfigName": "None"}),
        (missing_endpoint, call.describe_endpoint, {"EndpointName": "None"}),
        (missing_endpoint, call.delete_endpoint, {"EndpointName": "None"}),
        (missing_endpoint, call.update_endpoint, {"EndpointName": "None", "EndpointConfigName": "None"}),
        (
            missing_endpoint,
            call.update_endpoint_weights_and_capacities,
            {"EndpointName": "None", "DesiredWeightsAndCapacities": weights},
        ),
    ]:
        assert invalid(operation, **members) == text
    assert invalid(account.config, "c", [variant(model="None")]) == missing_model


def test_what_is_there_is_not_created_again(account):
    account.serve("twice")
    for kind, name, create in [
        ("model", "trees", lambda: account.model()),
        ("endpoint configuration", "twice", lambda: account.config("twice")),
        ("endpoint", "twice", lambda: account.endpoint("twice")),
    ]:
        resource = arn(kind.replace("uration", "").replace(" ", "-"), name)
        assert invalid(create) == f'Cannot create already existing {kind} "{resource}".'
    account.delete("twice")


def test_of_many_who_create_one_name_one_succeeds(server):
    accounts = [Account(server.url) for _ in range(8)]

    def create(account):
        with contextlib.suppress(ClientError):
            return account.model("contested")["ModelArn"]

    with ThreadPoolExecutor(len(accounts)) as clients:
        created = list(clients.map(create, accounts))
    assert sorted(created, key=bool) == [None] * 7 + [arn("model", "contested")]


SERVERLESS = {
    "VariantName": "A",
    "ModelName": "trees",
    "ServerlessConfig": {"MemorySizeInMB": 2048, "MaxConcurrency": 1},
}
ASYNCHRONOUS = {"OutputConfig": {"S3OutputPath": "s3://answers/here"}}


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"variants": [SERVERLESS], "explainer": explainer()}, "serverlessConfig"),
        ({"explainer": explainer(), "AsyncInferenceConfig": ASYNCHRONOUS}, "asyncInferenceConfig"),
        ({"ShadowProductionVariants": [variant("shadow")]}, "shadowProductionVariants"),
        ({"variants": [{"VariantName": "A"}]}, "productionVariants.1.member.modelName"),
        ({"variants": [variant("A"), variant("A")]}, "productionVariants.2.member.variantName"),
        ({"variants": [variant(f"v{i}") for i in range(11)]}, "productionVariants"),
    ],
)
def test_configs_that_cannot_be_served_as_they_say_are_refused_by_name(account, members, named):
    assert named in invalid(account.config, "refused", **members)
    assert account.control.list_endpoint_configs(NameContains="refused")["EndpointConfigs"] == []


def test_a_serverless_config_without_an_explainer_is_served(account):
    account.serve("serverless", [SERVERLESS])
    described = account.control.describe_endpoint_config(EndpointConfigName="serverless")
    assert described["ProductionVariants"][0]["ServerlessConfig"] == SERVERLESS["ServerlessConfig"]
    assert account.invoke("serverless")["InvokedProductionVariant"] == "A"
    account.delete("serverless")


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"Containers": [{"Image": XGBOOST}, {"Image": XGBOOST}]}, "containers"),
        ({"PrimaryContainer": {"ModelPackageName": "package"}}, "primaryContainer.modelPackageName"),
        ({}, "primaryContainer"),
        ({"PrimaryContainer": {"Image": XGBOOST}, "Containers": [{"Image": XGBOOST}]}, "containers"),
    ],
)
def test_models_that_cannot_be_served_as_they_say_are_refused_by_name(account, members, named):
    assert named in invalid(account.control.create_model, ModelName="refused", **members)
    assert account.control.list_models(NameContains="refused")["Models"] == []


def test_all_that_breaks_the_service_model_is_told_at_once(account):
    shap = {"ShapBaselineConfig": {"MimeType": "plain", "ShapBaseline": BASELINE}, "NumberOfSamples": 0}
    raw = Account(account.url, parameter_validation=False)
    text = invalid(raw.config, "under_score", [variant() | {"InitialInstanceCount": 0}], explainer(ShapConfig=shap))
    assert text.startswith("4 validation errors detected: ")
    for path in (
        "endpointConfigName",
        "productionVariants.1.member.initialInstanceCount",
        "shapConfig.numberOfSamples",
        "shapConfig.shapBaselineConfig.mimeType",
    ):
        assert path in text


# Tags


def test_tags_are_added_replaced_listed_and_taken_away(account):
    name = account.model("tagged")["ModelArn"]
    call = account.control
    call.add_tags(ResourceArn=name, Tags=TAGS)
    added = call.add_tags(ResourceArn=name, Tags=[{"Key": "team", "Value": "fraud"}, {"Key": "über", "Value": "ñ"}])
    expected = [("team", "fraud"), ("stage", ""), ("über", "ñ")]
    assert [(tag["Key"], tag["Value"]) for tag in added["Tags"]] == expected
    pages = call.get_paginator("list_tags").paginate(ResourceArn=name, PaginationConfig={"PageSize": 50})
    assert [(tag["Key"], tag["Value"]) for page in pages for tag in page["Tags"]] == expected
    call.delete_tags(ResourceArn=name, TagKeys=["team", "never-there"])
    assert [tag["Key"] for tag in call.list_tags(ResourceArn=name)["Tags"]] == ["stage", "über"]
    many = [{"Key": f"k{i}", "Value": "v"} for i in range(50)]
    assert "50" in invalid(call.add_tags, ResourceArn=name, Tags=many)
    for nowhere in (arn("model", "none"), arn("training-job", "tagged"), name.replace(":000000000000:", ":1:")):
        assert invalid(call.list_tags, ResourceArn=nowhere)


# On the wire


def test_answers_have_the_headers_and_the_form_of_aws_json(server, account):
    account.config("wired", explainer=explainer())
    account.endpoint("wired")
    account.wait("wired")
    response = account.describe("wired")["ResponseMetadata"]
    assert response["HTTPHeaders"]["content-type"] == JSON_1_1
    assert response["RequestId"] and response["RequestId"] == response["HTTPHeaders"]["x-amzn-requestid"]

    fields = {"Content-Type": JSON_1_1, "X-Amz-Target": "SageMaker.DescribeEndpoint"}
    body = server.request("POST", "/", '{"EndpointName":"wired"}', fields).body.decode()
    # Compact, in the order that was recorded, times as seconds with an exponent.
    members = ["EndpointName", "EndpointArn", "EndpointConfigName", "ProductionVariants", "EndpointStatus"]
    assert list(json.loads(body)) == [*members, "CreationTime", "LastModifiedTime", "ExplainerConfig"]
    assert re.search(r'"CreationTime":1\.\d{1,12}E9,"LastModifiedTime":1\.\d{1,12}E9,', body)
    assert ": " not in body and ", " not in body
    account.delete("wired")


@pytest.mark.parametrize(
    ("target", "body", "code", "text"),
    [
        ("SageMaker.CreateTrainingJob", "{}", "UnknownOperationException", "CreateEndpointConfig"),
        ("Athena.ListEndpoints", "{}", "UnknownOperationException", "ListEndpoints"),
        (None, "{}", "UnknownOperationException", "ListEndpoints"),
        ("SageMaker.ListEndpoints", "{", "SerializationException", ""),
        ("SageMaker.ListEndpoints", "[]", "SerializationException", ""),
        ("SageMaker.ListEndpoints", b'{"NameContains":"\xff"}', "SerializationException", ""),

        ("SageMaker.DescribeEndpoint", '{"EndpointName":"e","Verbose":true}', "ValidationException", "Verbose"),
    ],
)
def test_requests_that_no_client_sends_are_refused_with_the_type_in_the_body(server, target, body, code, text):
    fields = {"Content-Type": JSON_1_1} | ({"X-Amz-Target": target} if target else {})
    answer = server.request("POST", "/", body, fields)
    said = json.loads(answer.body)
    assert (answer.status, said["__type"]) == (400, code)
    assert text in said["message"]
    assert answer.headers["Content-Type"] == JSON_1_1 and answer.headers["x-amzn-RequestId"]


def test_an_operation_that_is_not_served_is_a_client_error_that_lists_those_that_are(account):
    with pytest.raises(ClientError) as error:
        account.control.list_training_jobs()
    text = error.value.response["Error"]["Message"]
    assert "ListTrainingJobs" in text
    for operation in ("CreateModel", "UpdateEndpointWeightsAndCapacities", "DeleteTags"):
        assert operation in text
