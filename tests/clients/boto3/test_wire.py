"""What boto3 sends and raises: every parameter at its limits, and every exception with its members and attempts."""

import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError

from conftest import Reply
from runtime import headers, runtime

BODY_BYTES_MAX = 6 << 20
DEADLINE_MS = 3_000
ARRIVAL_S = 10
LOG_STREAM = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/sagemaker/Endpoints/"
TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency metrics for "
    "each container in Amazon CloudWatch, resolve the issue, and try again."
)


def sums(asked):
    """A model that answers the sum of each record."""
    return Reply("\n".join(str(sum(map(float, line.split(",")))) for line in asked.body.splitlines()))


@pytest.fixture(scope="module")
def container(stub):
    return stub(sums)


@pytest.fixture(scope="module")
def definitions(write_definition, container):
    explainer = {"ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": "0,0"}}}
    return [
        write_definition("sums", {"Image": container.url}, explainer),
        write_definition("plain", {"Image": container.url}, None),
    ]


@pytest.fixture(scope="module")
def server(serve, definitions):
    return serve(*definitions)


@pytest.fixture(scope="module")
def client(server):
    return runtime(server.url)


def invoke(client, **options):
    return client.invoke_endpoint(**{"EndpointName": "sums", "ContentType": "text/csv", "Body": "1,2\n3,4"} | options)


def refusal(client, **options):
    with pytest.raises(ClientError) as error:
        invoke(client, **options)
    return error.value


def selected(client, expression):
    """Which of the records, that have scores 3 and 7, are explained."""
    explanations = json.loads(invoke(client, EnableExplanations=expression)["Body"].read())["explanations"]
    return [record is not None for record in explanations.get("kernel_shap", [None, None])]


# Requests


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("[0]>`5`", [False, True]),
        (" \t [0]>`5` ", [False, True]),
        ("'é'=='é'", [True, True]),
        ("'é'=='e'", [False, False]),
        # The limit counts characters, not bytes.
        ("'" + "é" * 57 + "'!='é'", [True, True]),
    ],
)
def test_an_expression_arrives_as_it_was_written(client, expression, expected):
    assert len(expression) <= 64
    assert selected(client, expression) == expected


@pytest.mark.parametrize(
    ("expression", "constraint"),
    [
        ("[0]>`" + "0" * 58 + "5`", "less than or equal to 64"),
        # Blanks are gone when the header arrives.
        ("  ", "greater than or equal to 1"),
    ],
)
def test_an_expression_of_a_wrong_length_is_a_validation_error(client, expression, constraint):
    error = refusal(client, EnableExplanations=expression)
    assert isinstance(error, client.exceptions.ValidationError)
    text = f"at 'enableExplanations' failed to satisfy constraint: Member must have length {constraint}"
    assert text in error.response["Message"]


@pytest.mark.parametrize("parameter", ["EnableExplanations", "TargetModel", "InferenceId", "PrefixAwareId"])
def test_boto3_sends_no_empty_header_that_must_not_be_empty(client, parameter):
    with pytest.raises(ParamValidationError):
        invoke(client, **{parameter: ""})


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_boto3_sends_no_header_with_a_line_break(client, container, line_break):
    n_asked = len(container.asked)
    with pytest.raises(HTTPClientError, match="Invalid header value"):
        invoke(client, EnableExplanations=f"`true`{line_break}X-Injected: 1")
    assert len(container.asked) == n_asked


def test_without_a_content_type_nothing_can_be_read(client):
    with pytest.raises(ClientError) as refused:
        client.invoke_endpoint(EndpointName="sums", Body="1,2")
    error = refused.value
    assert isinstance(error, client.exceptions.ModelError)
    assert error.response["OriginalStatusCode"] == 400
    text = "the request has no content type; supported: text/csv, application/jsonlines"
    assert error.response["OriginalMessage"] == text


def test_accept_may_be_left_out(client, container):
    assert invoke(client)["ContentType"] == "application/json"
    assert container.asked[-1].headers["Accept"] is None
    invoke(client, Accept="text/csv; q=1")
    assert container.asked[-1].headers["Accept"] == "text/csv; q=1"


@pytest.mark.parametrize("body", ["", b""])
def test_an_empty_body_never_reaches_the_container(client, container, body):
    n_asked = len(container.asked)
    error = refusal(client, Body=body)
    assert isinstance(error, client.exceptions.ModelError)
    assert error.response["OriginalStatusCode"] == 400
    assert len(container.asked) == n_asked


def test_a_body_has_at_most_six_mebibytes(client):
    whole = "1".rjust(BODY_BYTES_MAX, "0")
    assert invoke(client, EndpointName="plain", Body=whole)["Body"].read() == b"1.0"
    error = refusal(client, EndpointName="plain", Body="0" + whole)
    assert isinstance(error, client.exceptions.ValidationError)
    assert error.response["Error"]["Code"] == "ValidationError"
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert error.response["Message"] == "The request body is larger than the limit of 6291456 bytes."


@pytest.mark.parametrize("name", ["e p/x", "Sums", "é", "a" * 64, "sums%2F"])
def test_a_name_that_is_no_endpoint_is_a_validation_error(client, name):
    error = refusal(client, EndpointName=name)
    assert isinstance(error, client.exceptions.ValidationError)
    assert error.response["Message"] == f"Endpoint {name} of account 000000000000 not found."


NO_HEADER = "The header x-amzn-sagemaker-{} is not supported by this endpoint."
# Parameter: the longest value, what it is told at that length, and the member that a longer one is told about.
LIMITS = {
    "ContentType": ("text/csv;" + "x" * 1015, None, "contentType"),
    "Accept": ("text/csv;" + "x" * 1015, None, "accept"),
    "CustomAttributes": ("x" * 1024, None, "customAttributes"),
    "InferenceId": ("x" * 64, None, "inferenceId"),
    "PrefixAwareId": ("x" * 64, None, "prefixAwareId"),
    "TargetModel": (
        "x" * 1024,
        "Endpoint sums is not a multi-model endpoint and does not support target model header.",
        "targetModel",
    ),
    "TargetVariant": (
        "x" * 63,
        f"Variant {'x' * 63} does not exist; this endpoint has AllTraffic.",
        "targetVariant",
    ),
    "TargetContainerHostname": (
        "x" * 63,
        NO_HEADER.format("target-container-hostname"),
        "targetContainerHostname",
    ),
    "InferenceComponentName": ("x" * 63, NO_HEADER.format("inference-component"), "inferenceComponentName"),
    "SessionId": ("x" * 256, NO_HEADER.format("session-id"), "sessionId"),
}


@pytest.mark.parametrize("parameter", LIMITS)
def test_a_header_has_at_most_the_length_of_the_service_model(client, parameter):
    longest, told, member = LIMITS[parameter]
    if told is None:
        assert json.loads(invoke(client, **{parameter: longest})["Body"].read())["explanations"]
    else:
        assert refusal(client, **{parameter: longest}).response["Message"] == told
    error = refusal(client, **{parameter: longest + "x"})
    assert isinstance(error, client.exceptions.ValidationError)
    shown = (longest + "x")[:80] + "..." if len(longest) >= 80 else longest + "x"
    assert error.response["Message"] == (
        f"1 validation error detected: Value '{shown}' at '{member}' failed to satisfy constraint: "
        f"Member must have length less than or equal to {len(longest)}"
    )


def test_the_own_variant_may_be_named(client):
    assert invoke(client, TargetVariant="AllTraffic")["InvokedProductionVariant"] == "AllTraffic"


@pytest.mark.parametrize("parameter", LIMITS)
def test_headers_are_visible_ascii(client, parameter):
    error = refusal(client, **{parameter: "é"})
    assert isinstance(error, client.exceptions.ValidationError)
    assert error.response["Message"].endswith("failed to satisfy constraint: Member must be visible ASCII")


# Exceptions of the server


def check(error, code, status, **members):
    """The whole of an exception's response but its headers."""
    response = dict(error.response)
    metadata = response.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == status
    assert metadata["RequestId"] == headers(error.response)["x-amzn-requestid"]
    assert metadata["RetryAttempts"] == 0
    text = response.pop("Error")
    assert text["Code"] == code
    for name, value in members.items():
        members[name] = value.replace("REQUEST", metadata["RequestId"]) if isinstance(value, str) else value
    assert response == members
    assert text["Message"] == members.get("Message", text["Message"])
    return text["Message"]


def received(side, status, text):
    """The members of a ModelError."""
    return {
        "Message": f'Received {side} error ({status}) from primary with message "{text}". '
        "See the server's log, request REQUEST.",
        "OriginalStatusCode": status,
        "OriginalMessage": text,
        "LogStreamArn": LOG_STREAM + "sums",
    }


def test_a_validation_error_has_its_message(client):
    error = refusal(client, EndpointName="nobody")
    assert type(error) is client.exceptions.ValidationError
    check(error, "ValidationError", 400, Message="Endpoint nobody of account 000000000000 not found.")


def test_a_model_error_has_all_its_members(client):
    error = refusal(client, Body="1,2\n3")
    assert type(error) is client.exceptions.ModelError
    text = error.response["OriginalMessage"]
    assert "record 2" in text
    check(error, "ModelError", 424, **received("client", 400, text))


def waits(server):
    return b"\nexplaind_requests_waiting 1\n" in server.get("/metrics").body


def until(condition):
    give_up = time.monotonic() + ARRIVAL_S
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


class HeldBody(io.BytesIO):
    """Its request's head is sent at once, and its bytes when they are released."""

    def __init__(self, data):
        super().__init__(data)
        self.begun, self.released = threading.Event(), threading.Event()

    def read(self, *size):
        self.begun.set()
        assert self.released.wait(ARRIVAL_S)
        return super().read(*size)


def test_a_full_server_answers_throttling_unavailable_and_the_deadline(serve, stub, write_definition):
    release = threading.Event()

    def slow(asked):
        release.wait()
        return sums(asked)

    container = stub(slow)
    explainer = {"ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": "0,0"}}}
    places = {"EXPLAIND_RUNNING_MAX": "1", "EXPLAIND_WAITING_MAX": "1", "EXPLAIND_DEADLINE_MS": str(DEADLINE_MS)}
    server = serve(write_definition("sums", {"Image": container.url}, explainer), environment=places)
    # A signature would read the held body before it is sent.
    client = runtime(server.url, signature_version=UNSIGNED, retries={"total_max_attempts": 1})
    held = HeldBody(b"1,2")
    try:
        with ThreadPoolExecutor(2) as clients:
            # Its time begins first, but its body comes when the only place to run is taken.
            waiting = clients.submit(refusal, client, Body=held)
            assert held.begun.wait(ARRIVAL_S)
            time.sleep(0.3)
            running = clients.submit(refusal, client)
            until(lambda: container.asked)
            held.released.set()
            until(lambda: waits(server))

            throttled = refusal(client)
            # The service model has no such exception.
            assert type(throttled) is ClientError
            text = check(throttled, "ThrottlingException", 429)
            assert text == "Rate exceeded: 1 requests run and 1 wait, the limits of this server."
            assert headers(throttled.response)["retry-after"] == "1"

            unavailable = waiting.result()
            assert type(unavailable) is client.exceptions.ServiceUnavailable
            check(unavailable, "ServiceUnavailable", 503, Message=unavailable.response["Message"])
            assert unavailable.response["Message"].endswith(" ms and could not begin.")

            late = running.result()
            assert type(late) is client.exceptions.ModelError
            check(late, "ModelError", 424, **received("server", 0, TIMED_OUT))
            assert len(container.asked) == 1
    finally:
        release.set()


# Exceptions in our form, and how often boto3 asks


# Code: status, whether the service model has it, and attempts in the retry modes standard (boto3's own) and legacy.
EXCEPTIONS = {
    "ValidationError": (400, True, 1, 1),
    "ModelError": (424, True, 1, 1),
    "ModelNotReadyException": (429, True, 1, 2),
    "ThrottlingException": (429, False, 2, 2),
    "RequestTimeoutException": (408, False, 2, 1),
    "InternalFailure": (500, True, 2, 2),
    "ServiceUnavailable": (503, True, 2, 2),
    "InternalDependencyException": (530, True, 1, 1),
}


@pytest.mark.parametrize("code", EXCEPTIONS)
def test_boto3_reads_our_form_of_every_exception(stub, code):
    status, is_modelled, *attempts = EXCEPTIONS[code]
    ours = {"x-amzn-requestid": "7", "x-amzn-errortype": code}
    server = stub(lambda _: Reply('{"Message":"m"}', "application/json", status, ours))
    for mode, n_attempts in zip(("standard", "legacy"), attempts, strict=True):
        n_before = len(server.asked)
        client = runtime(server.url, retries={"mode": mode, "total_max_attempts": 2})
        error = refusal(client)
        assert type(error) is (getattr(client.exceptions, code) if is_modelled else ClientError)
        assert error.response["Error"] == {"Code": code, "Message": "m"}
        assert error.response.get("Message") == ("m" if is_modelled else None)
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert error.response["ResponseMetadata"]["RequestId"] == "7"
        assert error.response["ResponseMetadata"]["RetryAttempts"] == n_attempts - 1
        assert len(server.asked) - n_before == n_attempts


def test_boto3_asks_three_times_unless_it_is_told_otherwise(stub):
    ours = {"x-amzn-errortype": "ServiceUnavailable"}
    server = stub(lambda _: Reply('{"Message":"m"}', "application/json", 503, ours))
    refusal(runtime(server.url))
    assert len(server.asked) == 3
