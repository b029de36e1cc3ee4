"""What an endpoint is while it is being made: the baseline of these endpoints lies in an S3 that answers when the test
lets it."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aws_variables import CREDENTIALS
from botocore.exceptions import ClientError
from conftest import ROOT
from control import BASELINE, explainer, variant
from processes import running

OPEN_S = 60
# The server keeps who asks for a passing status waiting for 2 s.
PASSING_S = 1.5


class Gate(ThreadingHTTPServer):
    """Answers every GET with the baseline, once it is open, unless that is missing."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.is_open, self.is_missing, self.n_asked = threading.Event(), False, 0
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.n_asked += 1
        self.server.is_open.wait(OPEN_S)
        self.send_response(404 if self.server.is_missing else 200)
        self.send_header("Content-Length", str(len(BASELINE)))
        self.end_headers()
        self.wfile.write(BASELINE.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.is_open.set()
    gate.shutdown()
    gate.server_close()


@pytest.fixture
def environment(gate, tmp_path):
    state = {"EXPLAIND_STATE": str(tmp_path / "state"), "EXPLAIND_FILE_ROOT": str(ROOT)}
    return state | CREDENTIALS | {"AWS_ENDPOINT_URL_S3": gate.url}


def slow(account, name="slow"):
    shap = {"ShapBaselineConfig": {"ShapBaselineUri": "s3://baselines/slow.csv"}}
    account.config(name, [variant("Slow")], explainer(ShapConfig=shap))


def refuses_changes(account, name):
    weights = [{"VariantName": "A", "DesiredWeight": 1.0}]
    for change, members in [
        (account.control.update_endpoint, {"EndpointConfigName": name}),
        (account.control.update_endpoint_weights_and_capacities, {"DesiredWeightsAndCapacities": weights}),
        (account.control.delete_endpoint, {}),
    ]:
        with pytest.raises(ClientError, match="ValidationException.*Cannot update in-progress endpoint"):
            change(EndpointName=name, **members)


def test_an_endpoint_is_creating_until_all_of_it_is_there(environment, gate):
    with running(environment) as (_, account):
        account.model()
        slow(account)
        account.endpoint("slow")
        begin = time.monotonic()
        described = account.describe("slow")
        assert described["EndpointStatus"] == "Creating" and time.monotonic() - begin > PASSING_S
        (listed,) = account.control.list_endpoints(StatusEquals="Creating")["Endpoints"]
        assert listed["EndpointStatus"] == "Creating"
        refuses_changes(account, "slow")
        with pytest.raises(ClientError, match="ValidationError.*slow"):
            account.invoke("slow")
        gate.is_open.set()
        assert account.wait("slow")["LastModifiedTime"] > described["CreationTime"]
        assert account.invoke("slow")["InvokedProductionVariant"] == "Slow"


def test_an_endpoint_that_is_updating_answers_as_before(environment, gate):
    with running(environment) as (_, account):
        account.model()
        account.serve("slow-one", [variant("A")], explainer())
        slow(account)
        account.control.update_endpoint(EndpointName="slow-one", EndpointConfigName="slow")
        described = account.describe("slow-one")
        assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("Updating", "slow-one")
        pending = described["PendingDeploymentSummary"]
        assert pending["EndpointConfigName"] == "slow"
        assert [shown["VariantName"] for shown in pending["ProductionVariants"]] == ["Slow"]
        refuses_changes(account, "slow-one")
        assert account.invoke("slow-one")["InvokedProductionVariant"] == "A"
        gate.is_open.set()
        described = account.wait("slow-one")
        assert described["EndpointConfigName"] == "slow" and "PendingDeploymentSummary" not in described
        assert account.invoke("slow-one")["InvokedProductionVariant"] == "Slow"


def test_what_was_under_way_when_the_process_was_killed_goes_on_in_the_next(environment, gate):
    with running(environment) as (_, account):
        account.model()
        account.serve("served", [variant("A")], explainer())
        slow(account)
        account.endpoint("slow")
        account.control.update_endpoint(EndpointName="served", EndpointConfigName="slow")
    with running(environment) as (_, account):
        assert account.invoke("served")["InvokedProductionVariant"] == "A"
        for name, status in (("slow", "Creating"), ("served", "Updating")):
            assert account.describe(name)["EndpointStatus"] == status
        gate.is_open.set()
        for name in ("slow", "served"):
            account.wait(name)
            assert account.invoke(name)["InvokedProductionVariant"] == "Slow"


def test_what_does_not_open_after_a_restart_is_tried_again_and_never_in_the_place_of_another(environment, gate):
    gate.is_open.set()
    with running(environment) as (_, account):
        account.model()
        slow(account)
        for name in ("back", "replaced"):
            account.endpoint(name, "slow")
            account.wait(name)
    gate.is_missing = True
    with running(environment) as (_, account):
        for name in ("back", "replaced"):
            described = account.describe(name)
            assert described["EndpointStatus"] == "Failed" and "slow.csv" in described["FailureReason"]
        gate.is_missing, gate.n_asked = False, 0
        gate.is_open.clear()
        give_up = time.monotonic() + OPEN_S
        while gate.n_asked < 2:
            assert time.monotonic() < give_up
            time.sleep(0.05)
        account.delete("replaced")
        account.serve("replaced", [variant("Other")], explainer())
        gate.is_open.set()
        while account.describe("back")["EndpointStatus"] != "InService":
            assert time.monotonic() < give_up
            time.sleep(0.05)
        assert account.invoke("back")["InvokedProductionVariant"] == "Slow"
        # Both came back at the same time.
        time.sleep(0.2)
        assert account.invoke("replaced")["InvokedProductionVariant"] == "Other"
