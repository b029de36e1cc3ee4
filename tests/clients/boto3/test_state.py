"""What was created through the API outlives the process; endpoints from files live beside it and are left alone."""

import contextlib
import json

import pytest
from aws_variables import arn
from botocore.exceptions import ClientError
from conftest import ROOT, launch
from control import MODEL, explainer, variant
from processes import running

TAGS = [{"Key": "team", "Value": "risk"}]
READY_S = 60


@pytest.fixture
def environment(tmp_path):
    """Of servers with one state, which is made at the first write."""
    return {"EXPLAIND_STATE": str(tmp_path / "a" / "state"), "EXPLAIND_FILE_ROOT": str(ROOT)}


def everything(account):
    """All that can be described and listed, and what is answered."""
    described = {}
    for operation, key, name, describe in [
        ("list_models", "Models", "ModelName", "describe_model"),
        ("list_endpoint_configs", "EndpointConfigs", "EndpointConfigName", "describe_endpoint_config"),
        ("list_endpoints", "Endpoints", "EndpointName", "describe_endpoint"),
    ]:
        found = getattr(account.control, operation)()[key]
        each = [getattr(account.control, describe)(**{name: entry[name]}) for entry in found]
        described[key] = [found, *({**one, "ResponseMetadata": None} for one in each)]
    described["tags"] = account.control.list_tags(ResourceArn=arn("endpoint", "served"))["Tags"]
    described["answer"] = account.invoke("served", TargetVariant="A")["Body"].read()
    return described


def fill(account):
    account.model()
    account.config("served", [variant("A", weight=2.0), variant("B")], explainer())
    account.endpoint("served", Tags=TAGS)
    account.wait("served")
    change = [{"VariantName": "A", "DesiredWeight": 5.0}]
    account.control.update_endpoint_weights_and_capacities(EndpointName="served", DesiredWeightsAndCapacities=change)
    account.wait("served")
    account.serve("gone", explainer=explainer())
    account.delete("gone")
    account.config("narrow", explainer=explainer("0"))
    account.endpoint("narrow")
    with contextlib.suppress(Exception):
        account.wait("narrow")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_starts_again_has_everything_as_it_was(environment, end):
    with running(environment) as (server, account):
        fill(account)
        before = everything(account)
        assert before["Endpoints"][0][0]["EndpointStatus"] in ("InService", "Failed")
        if end == "stop":
            assert server.stop() == 0
    for _ in range(2):
        with running(environment) as (_, account):
            account.wait("served")
            assert everything(account) == before
            with pytest.raises(ClientError, match="Could not find endpoint"):
                account.describe("gone")


def test_a_model_that_cannot_be_loaded_after_a_restart_does_not_stop_the_others(environment, tmp_path):
    moved = tmp_path / "moved.json"
    moved.write_bytes(MODEL.read_bytes())
    environment["EXPLAIND_FILE_ROOT"] = f"{ROOT},{tmp_path}"
    with running(environment) as (_, account):
        account.model()
        account.model("moved", moved)
        account.serve("stays", explainer=explainer())
        account.serve("moves", [variant("A", "moved")], explainer())
    moved.unlink()
    with running(environment) as (_, account):
        account.wait("stays")
        assert account.invoke("stays")["Body"].read()
        described = account.describe("moves")
        assert described["EndpointStatus"] == "Failed" and "moved.json" in described["FailureReason"]


# Endpoints from files


@pytest.fixture
def definition(tmp_path):
    path = tmp_path / "endpoint.json"
    filed = {"EndpointName": "filed", "PrimaryContainer": {"ModelDataUrl": str(MODEL)}, "ExplainerConfig": explainer()}
    path.write_text(json.dumps(filed))
    return path


def test_an_endpoint_from_a_file_is_seen_and_cannot_be_changed_through_the_api(environment, definition):
    with running(environment, definition) as (_, account):
        account.model()
        account.serve("made", explainer=explainer())
        described = account.wait("filed")
        assert (described["EndpointStatus"], described["EndpointArn"]) == ("InService", arn("endpoint", "filed"))
        assert described["ExplainerConfig"] == explainer()
        assert [shown["VariantName"] for shown in described["ProductionVariants"]] == ["AllTraffic"]
        names = [found["EndpointName"] for found in account.control.list_endpoints()["Endpoints"]]
        assert sorted(names) == ["filed", "made"]
        call, weights = account.control, [{"VariantName": "AllTraffic", "DesiredWeight": 2.0}]
        for change, members in [
            (call.delete_endpoint, {}),
            (call.update_endpoint, {"EndpointConfigName": "made"}),
            (call.update_endpoint_weights_and_capacities, {"DesiredWeightsAndCapacities": weights}),
            (call.create_endpoint, {"EndpointConfigName": "made"}),
        ]:
            with pytest.raises(ClientError, match="ValidationException") as error:
                change(EndpointName="filed", **members)
            if change != call.create_endpoint:
                assert "file" in error.value.response["Error"]["Message"]
        assert account.invoke("filed")["Body"].read() == account.invoke("made")["Body"].read()


@pytest.mark.parametrize("name", ["filed", "FILED"])
def test_a_name_in_a_file_and_in_the_state_does_not_start(environment, definition, name):
    with running(environment) as (_, account):
        account.model()
        account.serve(name, explainer=explainer())
    process = launch([definition], environment, stderr=-1)
    _, said = process.communicate(timeout=READY_S)
    assert process.returncode == 1
    assert str(definition) in said and environment["EXPLAIND_STATE"] in said and "filed" in said


def test_two_servers_do_not_share_a_state(environment):
    with running(environment) as (_, account):
        account.model()
        process = launch([], environment, stderr=-1)
        try:
            _, said = process.communicate(timeout=READY_S)
        finally:
            process.kill()
        assert process.returncode == 1 and environment["EXPLAIND_STATE"] in said
