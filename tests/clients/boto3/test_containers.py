"""Models in containers, asked with boto3: both formats, exact arithmetic on the answers, the stamp, hanging up."""

import json
import math
import ssl
import time
from fractions import Fraction
from math import comb

import pytest
import trustme
from botocore.exceptions import ReadTimeoutError

from conftest import Reply
from games import game, shapley
from runtime import headers, runtime

CSV, JSON_LINES = "text/csv", "application/jsonlines"
JSON_RECORDS = {
    "FeaturesAttribute": "features",
    "ContentTemplate": '{"features":$features}',
    "ProbabilityAttribute": "score",
}
NAMES = ["größe", "Alter", "年齢", "d", "e"]
RECORD, BASELINES = [2.5, -1.25, 3.0, 0.5, 7.0], [[0.0, 1.0, 0.5, 0.5, 1.0], [1.0, -2.0, 0.25, 2.0, 3.0]]


def logistic(row):
    """Interactions of two and of three features."""
    a, b, c, d, e = row
    return 1 / (1 + math.exp(0.3 - 0.4 * a + 0.2 * b * c - 0.1 * a * c * d + 0.05 * e))


def csv_text(rows):
    return "\n".join(",".join(map(str, row)) for row in rows)


def csv_model(score):
    """A container that answers score(cells) for each line of CSV."""

    def answer(asked):
        rows = [[float(cell) for cell in line.split(",")] for line in asked.body.splitlines()]
        return Reply("\n".join(repr(score(row)) for row in rows))

    return answer


def json_model(answer):
    """A container that answers the text of answer(features) for each JSON line."""

    def lines(asked):
        return Reply("\n".join(answer(json.loads(line)["features"]) for line in asked.body.splitlines()), JSON_LINES)

    return lines


def explainer(baseline, inference=None, **shap):
    config = {"ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": baseline}} | shap}
    return config | ({"InferenceConfig": inference} if inference else {})


@pytest.fixture(scope="module")
def deploy(serve, stub, write_definition):
    """deploy(answer, explainer) serves a model in a container and returns a call of boto3 on it."""

    def deploy(answer, config, environment={}):
        container = stub(answer)
        image = {"Image": container.url, "Environment": environment}
        client = runtime(serve(write_definition("remote", image, config)).url)

        def invoke(body, content_type=CSV, **options):
            request = {"EndpointName": "remote", "ContentType": content_type, "Accept": content_type, "Body": body}
            response = client.invoke_endpoint(**(request | options))
            response["Body"] = response["Body"].read()
            return response

        invoke.container, invoke.client = container, client
        return invoke

    return deploy


def document(response):
    """Every number as the fraction that its text spells."""
    return json.loads(response["Body"], parse_float=Fraction)


def attributions(response):
    """[n_features] of the first record and output."""
    (record, *_) = document(response)["explanations"]["kernel_shap"]
    return [feature["attributions"][0]["attribution"][0] for feature in record]


def respelled(response):
    return json.dumps(json.loads(response["Body"]), separators=(",", ":"), ensure_ascii=False).encode()


# Regressions over all coalitions


def regression(values, n, weight):
    """The least squares over all proper coalitions whose weights depend on the size alone, in closed form."""
    everybody, nobody = values[(True,) * n], values[(False,) * n]
    c = sum(comb(n - 2, size - 1) * weight(size) for size in range(1, n))
    attributions = [(everybody - nobody) / n] * n
    for members, value in values.items():
        size = sum(members)
        if 0 < size < n:
            for player in range(n):
                attributions[player] += weight(size) * value * (members[player] - Fraction(size, n)) / c
    return attributions


def kernel(n, power):
    return lambda size: Fraction(n - 1, comb(n, size) * size * (n - size)) ** power


def test_the_shapley_kernel_gives_shapley_values():
    values = game(logistic, RECORD, BASELINES)
    assert regression(values, 5, kernel(5, 1)) == shapley(values, 5)
    assert regression(values, 5, kernel(5, 2)) != shapley(values, 5)


# Answers


@pytest.mark.parametrize("content_type", [CSV, JSON_LINES])
def test_attributions_are_shapley_values_by_definition(deploy, content_type):
    as_json = json_model(lambda features: json.dumps({"score": logistic(features)}))
    answer = csv_model(logistic) if content_type == CSV else as_json
    invoke = deploy(answer, explainer(csv_text(BASELINES), JSON_RECORDS | {"FeatureHeaders": NAMES}))
    body = csv_text([RECORD]) if content_type == CSV else json.dumps({"features": RECORD})
    response = invoke(body, content_type)

    values = game(logistic, RECORD, BASELINES)
    got, expected = attributions(response), shapley(values, 5)
    assert [abs(a - b) < Fraction(1, 10**9) for a, b in zip(got, expected, strict=True)] == [True] * 5
    assert abs(sum(got) - (values[(True,) * 5] - values[(False,) * 5])) < Fraction(1, 10**14)
    assert [feature["feature_header"] for feature in document(response)["explanations"]["kernel_shap"][0]] == NAMES
    assert response["Body"] == respelled(response)
    assert {asked.path for asked in invoke.container.asked} == {"/invocations"}
    assert {asked.headers["Content-Type"] for asked in invoke.container.asked} == {content_type}


def price(row):
    """float32 has multiples of 1/32 around 4e5; every interaction counts."""
    product = math.prod(1 + 0.3 * cell for cell in row)
    return 4e5 + math.floor(32 * (1000 * math.sin(product) + 50 * sum(row))) / 32


def test_the_squared_kernel_gives_multiples_of_its_denominator(deploy):
    invoke = deploy(csv_model(price), explainer("0,0,0,0,0,0"), {"EXPLAIND_KERNEL": "clarify"})
    record = [1.0, 2.5, -1.5, 3.0, 0.5, 4.0]
    response = invoke(csv_text([record]))
    got = attributions(response)

    def distance(value, denominator):
        """From the nearest multiple of the model's resolution over the denominator."""
        steps = value * 32 * denominator
        return abs(steps - round(steps)) / (32 * denominator)

    near = Fraction(1, 10**6)
    assert all(distance(value, 384) < near for value in got)
    assert not all(distance(value, 60) < near for value in got)
    values = game(price, record, [[0.0] * 6])
    expected = regression(values, 6, kernel(6, 2))
    assert [abs(a - b) < Fraction(1, 10**9) for a, b in zip(got, expected, strict=True)] == [True] * 6
    assert abs(sum(got) - (values[(True,) * 6] - values[(False,) * 6])) < Fraction(1, 10**9)


@pytest.mark.parametrize(
    ("content_type", "own", "other", "body"),
    [
        (CSV, "6.10e-1\r\n+0.9766594\r\n 00.5\n", "0.5", "1,2\n3,4\n5,6"),
        # Three records in one line.
        (CSV, "0.6100,1E-1,5.0", "0.5", "1,2\n3,4\n5,6"),
        (
            JSON_LINES,
            ' {"score" : 6.10e-1, "é":"\\u00e9"}\n{"score":1E-1}\n{"score":5.0}\n',
            '{"score":0.5}',
            '{"features":[1,2]}\n{"features" : [3, 4]}\n{"features":[5,6]}',
        ),
    ],
)
def test_the_containers_text_is_repeated_as_it_is(deploy, content_type, own, other, body):
    def say(asked):
        # Synthetic records come in other numbers.
        text = own if asked.body == body else "\n".join(other for _ in asked.body.splitlines())
        return Reply(text, f"{content_type}; charset=utf-8")

    invoke = deploy(say, explainer("0,0", JSON_RECORDS))
    response = invoke(body, content_type)
    predictions = {"content_type": f"{content_type}; charset=utf-8", "data": own}
    assert document(response)["predictions"] == predictions
    assert invoke.container.asked[0].body == body
    assert response["Body"] == respelled(response)
    assert len(document(response)["explanations"]["kernel_shap"]) == 3


def test_labels_of_the_container_name_the_outputs(deploy):
    def answer(features):
        p = logistic(features)
        return json.dumps({"labels": ["ja", "nö"], "p": [p, 1 - p]}, ensure_ascii=False)

    inference = JSON_RECORDS | {"ProbabilityAttribute": "p", "LabelAttribute": "labels"}
    invoke = deploy(json_model(answer), explainer(csv_text(BASELINES), inference))
    response = invoke(json.dumps({"features": RECORD}), JSON_LINES)
    answered = document(response)
    assert list(answered) == ["version", "predictions", "label_headers", "explanations"]
    assert answered["label_headers"] == ["ja", "nö"]
    for feature in answered["explanations"]["kernel_shap"][0]:
        yes, no = feature["attributions"][0]["attribution"]
        assert yes and abs(yes + no) < Fraction(1, 10**15)
    assert response["Body"] == respelled(response)


# The configurations of the SageMaker SDK's own test of explainers


def test_the_xgboost_case_explains_unless_the_request_says_false(deploy):
    config = {
        "EnableExplanations": "`true`",
        "ShapConfig": {
            "ShapBaselineConfig": {"MimeType": CSV, "ShapBaseline": "1,2,3,4,5,6,7"},
            "UseLogit": False,
        },
    }
    invoke = deploy(csv_model(lambda row: 1 / (1 + math.exp(-sum(row) / 100))), config)
    body = ",".join(["42"] * 7)
    response = invoke(body)
    assert response["ContentType"] == "application/json"
    answered = document(response)
    assert answered["explanations"] and answered["predictions"]
    assert len(answered["explanations"]["kernel_shap"][0]) == 7
    quiet = document(invoke(body, EnableExplanations="`false`"))
    assert quiet["explanations"] == {}
    assert quiet["predictions"] == answered["predictions"]


def test_the_linear_learner_case_takes_a_csv_baseline_and_a_label_that_is_a_number(deploy):
    baseline = "25, 2, 226802, 1, 7, 4, 6, 3, 2, 1, 0, 0, 40, 37"
    config = {
        "EnableExplanations": "`true`",
        "InferenceConfig": JSON_RECORDS | {"LabelAttribute": "predicted_label", "MaxPayloadInMB": 6},
        "ShapConfig": {"ShapBaselineConfig": {"MimeType": CSV, "ShapBaseline": baseline}, "UseLogit": False},
    }

    def learner(features):
        score = 1 / (1 + math.exp(3 - 0.02 * sum(features[:2]) - features[2] / 1e5 - 0.3 * features[11]))
        return json.dumps({"score": score, "predicted_label": int(score > 0.5)})

    invoke = deploy(json_model(learner), config)
    same = f'{{"features":[{baseline}]}}'
    answered = document(invoke(same, JSON_LINES))
    assert "label_headers" not in answered
    assert answered["predictions"]["data"] == learner(json.loads(f"[{baseline}]"))
    # The record is the baseline, so that nothing is to be explained.
    assert set(attributions(invoke(same, JSON_LINES))) == {0}
    other = attributions(invoke(same.replace("[25,", "[65,"), JSON_LINES))
    assert other[0] > 0 and set(other[1:]) == {0}


# Headers


def test_custom_attributes_go_to_the_container_and_come_back(deploy):
    def answer(asked):
        reply = csv_model(logistic)(asked)
        attributes = asked.headers["X-Amzn-SageMaker-Custom-Attributes"]
        if attributes:
            reply.headers = {"X-Amzn-SageMaker-Custom-Attributes": f"got {attributes}"}
        return reply

    invoke = deploy(answer, explainer(csv_text(BASELINES)))
    response = invoke(csv_text([RECORD]), CustomAttributes="trace=7")
    assert response["CustomAttributes"] == "got trace=7"
    assert response["InvokedProductionVariant"] == "AllTraffic"
    sent = {asked.headers["X-Amzn-SageMaker-Custom-Attributes"] for asked in invoke.container.asked}
    assert sent == {"trace=7"}
    assert "CustomAttributes" not in invoke(csv_text([RECORD]))


@pytest.mark.parametrize(("status", "side"), [(404, "client"), (500, "server"), (503, "server")])
@pytest.mark.parametrize("is_own", [True, False])
def test_what_a_container_refuses_is_a_model_error(deploy, status, side, is_own):
    def answer(asked):
        if is_own or len(invoke.container.asked) > 1:
            return Reply("No model\n", "text/plain", status)
        return csv_model(logistic)(asked)

    invoke = deploy(answer, explainer(csv_text(BASELINES)))
    with pytest.raises(invoke.client.exceptions.ModelError) as error:
        invoke(csv_text([RECORD]))
    response = error.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert (response["OriginalStatusCode"], response["OriginalMessage"]) == (status, "No model")
    assert response["Message"].startswith(f'Received {side} error ({status}) from primary with message "No model". ')
    # What may pass is tried three times. How synthetic records are asked again is a matter of tests/api/backends.rs.
    assert not is_own or len(invoke.container.asked) == (1 if side == "client" else 3)


def test_the_stamp_outlives_the_process_and_knows_the_seed(serve, stub, write_definition):
    image = {"Image": stub(csv_model(logistic)).url}

    def stamp(seed):
        path = write_definition("remote", image, explainer(csv_text(BASELINES), Seed=seed))
        client = runtime(serve(path).url)
        response = client.invoke_endpoint(EndpointName="remote", ContentType=CSV, Body=csv_text([RECORD]))
        return headers(response)["x-explaind-stamp"]

    first, again, other = stamp(7), stamp(7), stamp(8)
    assert first == again != other


# Hanging up


def test_a_client_that_hangs_up_ends_the_questions_to_the_container(deploy):
    batch_s, n_features = 0.2, 20

    def slow(asked):
        time.sleep(batch_s)
        return csv_model(sum)(asked)

    config = explainer(",".join(["0"] * n_features), {"MaxRecordCount": 1}, NumberOfSamples=2000)
    invoke = deploy(slow, config)
    impatient = runtime(invoke.client.meta.endpoint_url, read_timeout=1, retries={"total_max_attempts": 1})
    with pytest.raises(ReadTimeoutError):
        impatient.invoke_endpoint(EndpointName="remote", ContentType=CSV, Body=",".join(["1"] * n_features))
    n_asked = len(invoke.container.asked)
    assert n_asked > 2
    time.sleep(5 * batch_s)
    assert len(invoke.container.asked) <= n_asked + 1


def test_a_container_may_speak_https_to_who_trusts_it(serve, stub, write_definition, tmp_path_factory):
    authority, trusted = trustme.CA(), tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    container = stub(csv_model(sum))
    container.socket = context.wrap_socket(container.socket, server_side=True, do_handshake_on_connect=False)
    image = {"Image": f"https://localhost:{container.server_port}"}
    definition = write_definition("remote", image, explainer("0,0"))
    answer = serve(definition, environment={"SSL_CERT_FILE": str(trusted)}).invoke("remote", "1.5,2")
    assert answer.attributions == [[[1.5], [2.0]]]
    refused = serve(definition).invoke("remote", "1.5,2")
    assert (refused.status, json.loads(refused.body)["OriginalStatusCode"]) == (424, 0)
