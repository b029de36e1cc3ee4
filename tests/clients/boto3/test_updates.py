"""Variants that share the requests of an endpoint, and updates that no request notices."""

import itertools
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from control import MODEL, Account, explainer, variant

N_CLIENTS, N_REQUESTS = 16, 200
LOAD_S = 4
REGRESSION = MODEL.with_name("3.2-regression.model.json")


@pytest.fixture(scope="module")
def account(serve_api):
    account = Account(serve_api().url, max_pool_connections=N_CLIENTS)
    account.model()
    account.model("regression", REGRESSION)
    return account


def answer(account, name, **options):
    return json.loads(account.invoke(name, **options)["Body"].read())


def shares(account, name, n_requests=N_REQUESTS):
    asked = [account.invoke(name)["InvokedProductionVariant"] for _ in range(n_requests)]
    return {variant: asked.count(variant) for variant in set(asked)}


def weights(account, name):
    described = account.describe(name)
    return {shown["VariantName"]: shown["CurrentWeight"] for shown in described["ProductionVariants"]}


def reweigh(account, name, **desired):
    changes = [{"VariantName": variant, "DesiredWeight": weight} for variant, weight in desired.items()]
    account.control.update_endpoint_weights_and_capacities(EndpointName=name, DesiredWeightsAndCapacities=changes)
    account.wait(name)


def refused(call, **members):
    with pytest.raises(ClientError, match="ValidationException") as error:
        call(**members)
    return error.value.response["Error"]["Message"]


# Variants


def test_requests_are_shared_by_the_weights_and_the_weights_can_be_changed(account):
    account.serve("shared", [variant("A", weight=3.0), variant("B", "regression")], explainer())
    got = shares(account, "shared")
    assert abs(got["A"] - 3 * N_REQUESTS / 4) <= N_REQUESTS / 20 and got["A"] + got["B"] == N_REQUESTS

    before = account.describe("shared")
    reweigh(account, "shared", A=0.0, B=5.0)
    after = account.describe("shared")
    assert weights(account, "shared") == {"A": 0.0, "B": 5.0}
    assert (after["EndpointConfigName"], after["CreationTime"]) == ("shared", before["CreationTime"])
    assert after["LastModifiedTime"] > before["LastModifiedTime"]
    assert shares(account, "shared", 20) == {"B": 20}
    # The config is what it was.
    config = account.control.describe_endpoint_config(EndpointConfigName="shared")
    assert [shown["InitialVariantWeight"] for shown in config["ProductionVariants"]] == [3.0, 1.0]

    reweigh(account, "shared", A=5.0)
    assert weights(account, "shared") == {"A": 5.0, "B": 5.0}
    call = account.control.update_endpoint_weights_and_capacities
    unknown = [{"VariantName": "C", "DesiredWeight": 1.0}]
    assert "C" in refused(call, EndpointName="shared", DesiredWeightsAndCapacities=unknown)
    counts = [{"VariantName": "A", "DesiredInstanceCount": 4}]
    call(EndpointName="shared", DesiredWeightsAndCapacities=counts)
    shown = account.wait("shared")["ProductionVariants"][0]
    assert (shown["DesiredInstanceCount"], shown["DesiredWeight"]) == (4, 5.0)
    account.delete("shared")


def test_a_request_may_name_its_variant(account):
    account.serve("named", [variant("A"), variant("B", "regression", 0.0)], explainer())
    by_name = {name: answer(account, "named", TargetVariant=name) for name in ("A", "B")}
    assert by_name["A"]["predictions"] != by_name["B"]["predictions"]
    assert account.invoke("named", TargetVariant="B")["InvokedProductionVariant"] == "B"
    assert shares(account, "named", 20) == {"A": 20}
    with pytest.raises(ClientError, match="ValidationError.*A, B"):
        account.invoke("named", TargetVariant="C")
    account.delete("named")


# Updates


def test_an_update_changes_model_and_explainer_at_once(account):
    account.serve("swapped", explainer=explainer())
    before, answered = account.describe("swapped"), answer(account, "swapped")
    account.config("next", [variant("B", "regression")], explainer("1,1,1,1,1"))
    updated = account.control.update_endpoint(EndpointName="swapped", EndpointConfigName="next")
    assert updated["EndpointArn"] == before["EndpointArn"]
    after = account.wait("swapped")
    assert (after["EndpointConfigName"], after["ExplainerConfig"]) == ("next", explainer("1,1,1,1,1"))
    assert after["CreationTime"] == before["CreationTime"] and after["LastModifiedTime"] > before["LastModifiedTime"]
    assert weights(account, "swapped") == {"B": 1.0}
    assert answer(account, "swapped") != answered
    account.delete("swapped")
    account.control.delete_endpoint_config(EndpointConfigName="next")


def test_an_update_that_fails_leaves_what_was_there(account):
    account.serve("kept", explainer=explainer())
    answered = answer(account, "kept")
    account.config("narrow", explainer=explainer("0,0"))
    described = account.update("kept", "narrow")
    assert described["EndpointStatus"] == "InService" and "ShapBaseline" in described["FailureReason"]
    assert (described["EndpointConfigName"], described["ExplainerConfig"]) == ("kept", explainer())
    assert answer(account, "kept") == answered
    account.config("wide", explainer=explainer("1,1,1,1,1"))
    described = account.update("kept", "wide")
    assert described["EndpointConfigName"] == "wide" and "FailureReason" not in described
    assert "none" in refused(account.control.update_endpoint, EndpointName="kept", EndpointConfigName="none")
    account.delete("kept")


def test_properties_of_variants_are_kept_when_an_update_says_so(account):
    account.serve("retained", [variant("A"), variant("B")], explainer())
    reweigh(account, "retained", A=7.0)
    account.config("retained-next", [variant("A", weight=2.0), variant("C")], explainer())
    account.update("retained", "retained-next", RetainAllVariantProperties=True)
    assert weights(account, "retained") == {"A": 7.0, "C": 1.0}
    weight = [{"VariantPropertyType": "DesiredWeight"}]
    account.update(
        "retained", "retained-next", RetainAllVariantProperties=True, ExcludeRetainedVariantProperties=weight
    )
    assert weights(account, "retained") == {"A": 2.0, "C": 1.0}
    account.delete("retained")


def test_a_deployment_that_would_not_happen_is_refused(account):
    account.serve("deployed", explainer=explainer())
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": 60, "CanarySize": {"Type": "INSTANCE_COUNT", "Value": 1}}
    canary = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    members = {"EndpointName": "deployed", "EndpointConfigName": "deployed"}
    assert "CANARY" in refused(account.control.update_endpoint, **members, DeploymentConfig=canary)
    routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 60}
    at_once = {"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}}
    account.update("deployed", "deployed", DeploymentConfig=at_once)
    account.delete("deployed")


def test_no_request_of_sixteen_clients_notices_updates(account):
    configs = {"first": (variant("A"), explainer()), "second": (variant("B", "regression"), explainer("1,1,1,1,1"))}
    for name, (shown, explained) in configs.items():
        account.config(name, [shown], explained)
    expected = {}
    for name in configs:
        account.endpoint(name)
        account.wait(name)
        response = account.invoke(name)
        expected[response["InvokedProductionVariant"]] = response["Body"].read()
        account.delete(name)
    assert len(set(expected.values())) == 2

    account.endpoint("busy", "first")
    account.wait("busy")
    over = threading.Event()

    def ask():
        """How many answers of each variant came; a refusal raises."""
        got = dict.fromkeys(expected, 0)
        while not over.is_set():
            response = account.invoke("busy")
            chosen = response["InvokedProductionVariant"]
            assert response["Body"].read() == expected[chosen]
            got[chosen] += 1
        return got

    with ThreadPoolExecutor(N_CLIENTS) as clients:
        asking = [clients.submit(ask) for _ in range(N_CLIENTS)]
        end, n_updates = time.monotonic() + LOAD_S, 0
        try:
            for name in itertools.cycle(["second", "first"]):
                described = account.update("busy", name)
                assert (described["EndpointConfigName"], "FailureReason" in described) == (name, False)
                n_updates += 1
                if time.monotonic() > end:
                    break
        finally:
            over.set()
        counts = [client.result() for client in asking]
    assert n_updates > 3
    assert all(got["A"] and got["B"] for got in counts), counts
    account.delete("busy")
