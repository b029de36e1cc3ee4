"""The control plane's service model: equal to botocore's, and every constraint of it holds on the wire."""

import itertools
import json
import re

import boto3
import pytest
import service_model
from botocore.config import Config
from botocore.exceptions import ClientError
from violations import Shapes, violations

MODEL = json.loads(service_model.FILE.read_text())
VIOLATIONS = list(violations(MODEL))
# What the patterns with a `regex` of their own tell apart, one letter for each kind.
ALPHABETS = ["a-/1", "a./_", "a \t\x0b"]
PREFIXES = ["", "/", "s3://", "arn:aws:sagemaker:eu-west-1:123456789012:", "arn:aws:iam::123456789012:role/"]
LONG = [letter * n + end for letter in "a-" for n in (61, 62, 63, 64) for end in ("", "-", "/1", "/1234567890")]
REWRITTEN = [name for name, shape in MODEL["shapes"].items() if "regex" in shape]


def test_the_file_is_what_botocore_has():
    assert service_model.FILE.read_text() == service_model.text(), f"run {service_model.__file__}"


@pytest.mark.parametrize("name", REWRITTEN)
def test_a_rewritten_pattern_means_what_it_meant(name):
    pattern, regex = (re.compile(MODEL["shapes"][name][part]) for part in ("pattern", "regex"))
    tails = ["".join(tail) for kinds in ALPHABETS for n in range(6) for tail in itertools.product(kinds, repeat=n)]
    n_admitted = 0
    for text in (prefix + tail for prefix in PREFIXES for tail in [*tails, *LONG]):
        is_admitted = pattern.fullmatch(text) is not None
        assert (regex.fullmatch(text) is not None) == is_admitted, repr(text)
        n_admitted += is_admitted
    assert n_admitted > 100


@pytest.mark.parametrize("name", REWRITTEN)
def test_no_line_end_passes_as_part_of_a_line(name):
    """Python's dot matches all of these but one."""
    regex, text = re.compile(MODEL["shapes"][name]["regex"]), Shapes.valid_text(MODEL["shapes"][name])
    assert regex.fullmatch(text)
    for end in "\n\r\x85\u2028\u2029":
        assert not regex.fullmatch(text + end), repr(end)


@pytest.fixture(scope="module")
def refusal(serve, examples):
    """refusal(operation, input) sends the input as it is, and returns code and message of the error."""
    client = boto3.client(
        "sagemaker",
        endpoint_url=serve(examples / "wine" / "endpoint.json").url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(parameter_validation=False),
    )
    bodies = []
    client.meta.events.register("before-call.sagemaker", lambda params, **_: params.update(body=bodies.pop()))

    def refusal(operation, values):
        bodies.append(json.dumps(values).encode())
        with pytest.raises(ClientError) as error:
            client._make_api_call(operation, {})
        return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]

    return refusal


@pytest.mark.parametrize("operation", MODEL["operations"])
def test_every_constraint_of_every_member_holds(refusal, operation):
    of_operation = [violation for violation in VIOLATIONS if violation.operation == operation]
    assert of_operation
    for violation in of_operation:
        code, message = refusal(operation, violation.input)
        assert code == "ValidationException", (violation, code, message)
        assert violation.constraint in message, (violation, message)
        assert set(re.findall(r" at '(.*?)' failed to satisfy", message)) == {violation.path}, (violation, message)
