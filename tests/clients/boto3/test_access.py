"""Who may call: the exceptions of boto3, odd but legal calls, other clients, and what is logged."""

import datetime
import json
import re
import subprocess

import boto3
import botocore.auth
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from conftest import LISTENING, STOP_S, launch
from keys import BEARER, CREDENTIALS, SECRETS, TOKEN_CREDENTIALS, settings

RECORD = "13.77,1.9,2.68,17.1,115.0,3.0,2.79,0.39,1.68,6.3,1.13,2.93,1375.0"
WINE = "/endpoints/wine/invocations"
ROLE = "arn:aws:iam::000000000000:role/service-role"
ID, SECRET = CREDENTIALS.access_key, CREDENTIALS.secret_key
TOKEN_ID, TOKEN_SECRET, TOKEN = (getattr(TOKEN_CREDENTIALS, name) for name in ("access_key", "secret_key", "token"))


@pytest.fixture(scope="module")
def server(serve, examples, tmp_path_factory):
    return serve(examples / "wine" / "endpoint.json", environment=settings(tmp_path_factory.mktemp("access")))


def client(service, server, credentials=CREDENTIALS, region="us-east-1", **config):
    return boto3.client(
        service,
        endpoint_url=server.url,
        region_name=region,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.token,
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


def runtime(*arguments, **config):
    return client("sagemaker-runtime", *arguments, **config)


def control(*arguments, **config):
    return client("sagemaker", *arguments, **config)


def invoke(client, **options):
    return client.invoke_endpoint(**{"EndpointName": "wine", "ContentType": "text/csv", "Body": RECORD} | options)


def refused(call, **options):
    with pytest.raises(ClientError) as error:
        call(**options)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return error.value.response["Error"]


# boto3


@pytest.mark.parametrize("credentials", [CREDENTIALS, TOKEN_CREDENTIALS, Credentials(ID, SECRET, "any token")])
@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "local"])
def test_what_boto3_signs_is_let_in(server, credentials, region):
    assert json.loads(invoke(runtime(server, credentials, region))["Body"].read())["explanations"]
    assert control(server, credentials, region).list_endpoints()["Endpoints"]


@pytest.mark.parametrize(
    ("credentials", "code", "text"),
    [
        (
            Credentials("AKIAUNKNOWN", SECRET),
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        (
            Credentials(ID, SECRET + "x"),
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.",
        ),
        (
            Credentials(TOKEN_ID, TOKEN_SECRET),
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        (
            Credentials(TOKEN_ID, TOKEN_SECRET, TOKEN + "x"),
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
        # Who swaps the two must not find the secret in an answer.
        (
            Credentials("sec/ret", ID),
            "IncompleteSignatureException",
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term",
        ),
    ],
)
def test_boto3_raises_what_aws_says(server, credentials, code, text):
    told = {"Code": code, "Message": text}
    assert refused(invoke, client=runtime(server, credentials)) == told
    assert refused(control(server, credentials).list_endpoints) == told


def test_a_refused_call_changes_nothing(server):
    model = {"ModelName": "forbidden", "PrimaryContainer": {"ModelDataUrl": "model.json"}, "ExecutionRoleArn": ROLE}
    refused(control(server, Credentials(ID, SECRET + "x")).create_model, **model)
    assert control(server).list_models(NameContains="forbidden")["Models"] == []


def test_an_unsigned_call_of_boto3_is_refused(server):
    missing = {"Code": "MissingAuthenticationTokenException", "Message": "Missing Authentication Token"}
    assert refused(invoke, client=runtime(server, signature_version=UNSIGNED)) == missing
    assert refused(control(server, signature_version=UNSIGNED).list_endpoints) == missing


@pytest.mark.parametrize(
    ("minutes", "form"),
    [
        (-16, r"Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 15 min\.\)"),
        (16, r"Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 15 min\.\)"),
    ],
)
def test_a_clock_that_is_far_off_is_told_and_one_that_is_near_is_let_in(server, monkeypatch, minutes, form):
    set_clock(monkeypatch, minutes)
    error = refused(invoke, client=runtime(server))
    assert error["Code"] == "InvalidSignatureException"
    assert re.fullmatch(form, error["Message"]), error
    set_clock(monkeypatch, 14 if minutes > 0 else -14)
    invoke(runtime(server))


def set_clock(monkeypatch, minutes):
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: now.replace(tzinfo=None))


@pytest.mark.parametrize("name", ["a b", "é", "a+b", "%2F", "a/b", "~!'()*;:@&=$,", "..", ".", "a%", "日本"])
def test_odd_names_of_endpoints_are_no_reason_to_refuse_a_signature(server, name):
    with pytest.raises(ClientError) as error:
        invoke(runtime(server), EndpointName=name)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404), error.value


@pytest.mark.parametrize(
    "options",
    [
        {"CustomAttributes": "a  b   c,  d ;e"},
        {"CustomAttributes": " a "},
        {"CustomAttributes": ""},
        {"Accept": "text/csv;  q=0.5,application/json"},
        {"EnableExplanations": "'é'=='é'"},
        {"EnableExplanations": "'é\u00a0\u3000é'=='é'"},
        {"InferenceId": "7"},
        {"ContentType": "text/csv; charset=utf-8"},
    ],
)
def test_odd_values_of_headers_are_let_in(server, options):
    invoke(runtime(server), **options)


@pytest.mark.parametrize("body", [b"", b"\x00\xff", "é"])
def test_odd_bodies_are_no_reason_to_refuse_a_signature(server, body):
    with pytest.raises(ClientError) as error:
        invoke(runtime(server), Body=body)
    assert error.value.response["Error"]["Code"] == "ModelError"


def test_a_large_body_is_let_in(server):
    invoke(runtime(server), Body="\n".join([RECORD] * 2_000), EnableExplanations="`false`")


# Other clients


def curl(server, *options):
    command = ["curl", "-s", "-w", "\n%{http_code}", "-H", "Content-Type: text/csv", "-d", RECORD, *options]
    printed = subprocess.run(command + [server.url + WINE], capture_output=True, text=True, timeout=STOP_S, check=True)
    return int(printed.stdout.rsplit("\n", 1)[1])


@pytest.mark.parametrize(
    ("options", "status"),
    [
        (["-H", f"Authorization: Bearer {BEARER}"], 200),
        (["-H", f"authorization: bearer {BEARER}"], 200),
        (["-H", f"Authorization: Bearer {BEARER}x"], 403),
        (["-H", f"Authorization: Basic {BEARER}"], 403),
        (["--user", f"{ID}:{SECRET}", "--aws-sigv4", "aws:amz:us-east-1:sagemaker"], 200),
        (["--user", f"{ID}:{SECRET}x", "--aws-sigv4", "aws:amz:us-east-1:sagemaker"], 403),
        (["--user", f"{ID}:{SECRET}", "--aws-sigv4", "aws:amz:us-east-1:s3"], 403),
    ],
)
def test_curl_calls_with_a_bearer_key_or_with_a_signature_of_its_own(server, options, status):
    assert curl(server, *options) == status


# What is said about it


def test_no_secret_is_logged(examples, tmp_path):
    log = tmp_path / "log"
    environment = settings(tmp_path) | {"EXPLAIND_LOG": "trace"}
    with log.open("w") as stderr:
        process = launch([examples / "wine" / "endpoint.json"], environment, stderr=stderr)
    try:
        url = next(line for line in process.stdout if line.startswith(LISTENING)).removeprefix(LISTENING).strip()
        server = type("Server", (), {"url": url})
        invoke(runtime(server))
        for credentials in (
            Credentials(ID, SECRET + "x"),
            Credentials(TOKEN_ID, TOKEN_SECRET, TOKEN + "x"),
            Credentials(SECRET, ID),
        ):
            refused(invoke, client=runtime(server, credentials))
            refused(control(server, credentials).list_endpoints)
        assert curl(server, "-H", f"Authorization: Bearer {BEARER}") == 200
        assert curl(server, "-H", f"Authorization: Bearer {BEARER}x") == 403
    finally:
        process.terminate()
        process.wait(STOP_S)
    logged = log.read_text()
    for text in (ID, "InvalidSignatureException", "AccessDeniedException"):
        assert text in logged
    for secret in SECRETS:
        assert secret not in logged
