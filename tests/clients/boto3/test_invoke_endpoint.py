"""The unchanged boto3 call against the running binary: answers, errors, many clients at once."""

import json
import math
import re
import shutil
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from select import select

import pytest

from runtime import headers, runtime

N_CLIENTS = 64
STAGES = ["queue", "decode", "predict", "plan", "values", "attribute", "encode"]
ESTIMATORS = {"exact", "enumerated", "kernel-shap", "trend"}


@pytest.fixture(scope="module")
def server(serve, define, examples):
    model, baseline = examples / "breast-cancer" / "model.json", ",".join(["0"] * 30)
    quiet = define("quiet", lambda path: shutil.copy(model, path), baseline, enable="`false`")
    return serve(*(examples / name / "endpoint.json" for name in ("breast-cancer", "wine")), quiet)


@pytest.fixture(scope="module")
def client(server):
    return runtime(server.url, max_pool_connections=N_CLIENTS)


@pytest.fixture(scope="module")
def invoke(client):
    """invoke(body, ...) returns boto3's response with its Body read, and a Document."""

    def invoke(body, endpoint="breast-cancer", **options):
        request = {"EndpointName": endpoint, "ContentType": "text/csv", "Accept": "text/csv", "Body": body}
        response = client.invoke_endpoint(**(request | options))
        response["Body"] = response["Body"].read()
        response["Document"] = json.loads(response["Body"])
        return response

    return invoke


@pytest.fixture(scope="module")
def records(examples):
    return (examples / "breast-cancer" / "records.csv").read_text().splitlines()


@pytest.fixture(scope="module")
def wines(examples):
    return (examples / "wine" / "records.csv").read_text().splitlines()


def varied(records, n):
    """n different records, made by changing the second cell of real ones."""
    rows = [records[i % len(records)].split(",") for i in range(n)]
    return [",".join([row[0], str(10 + i / 4), *row[2:]]) for i, row in enumerate(rows)]


def scores(response):
    return [float(line) for line in response["Document"]["predictions"]["data"].split("\n")]


def float32(text):
    """The float32 that a score's text spells."""
    return struct.unpack("f", struct.pack("f", float(text)))[0]


def sums(record):
    """Per class, the sum of a record's attributions."""
    return [math.fsum(column) for column in zip(*(f["attributions"][0]["attribution"] for f in record))]


def replaced(record, column, cell):
    cells = record.split(",")
    cells[column - 1] = cell
    return ",".join(cells)


# Answers


def test_a_record_is_answered_with_the_documented_document(invoke, records, examples):
    response = invoke(records[0])
    document = response["Document"]

    assert response["ContentType"] == "application/json"
    assert response["InvokedProductionVariant"] == "AllTraffic"
    assert response["ResponseMetadata"]["RequestId"]
    assert list(document) == ["version", "predictions", "label_headers", "explanations"]
    assert document["version"] == "1.0"
    assert document["label_headers"] == ["malignant"]
    assert list(document["predictions"]) == ["content_type", "data"]
    assert document["predictions"]["content_type"].split(";")[0] == "text/csv"
    assert scores(response)[0] > 0.9
    assert list(document["explanations"]) == ["kernel_shap"]

    (record,) = document["explanations"]["kernel_shap"]
    definition = json.loads((examples / "breast-cancer" / "endpoint.json").read_text())
    explainer = definition["ExplainerConfig"]["ClarifyExplainerConfig"]
    assert [f["feature_header"] for f in record] == explainer["InferenceConfig"]["FeatureHeaders"]
    assert all(list(f) == ["attributions", "feature_header"] for f in record)
    assert all(list(a) == ["attribution"] for f in record for a in f["attributions"])
    assert all(len(f["attributions"]) == 1 for f in record)


@pytest.mark.parametrize("n_records", [1, 12])
def test_the_body_is_compact_json_in_the_spelling_of_python(invoke, records, n_records):
    response = invoke("\n".join(records[:n_records]))
    respelled = json.dumps(response["Document"], separators=(",", ":"), ensure_ascii=False)
    assert respelled.encode() == response["Body"]


def test_attributions_of_log_odds_add_up(invoke, records):
    response = invoke("\n".join(records))
    (base,) = json.loads(headers(response)["x-explaind-base-values"])
    for score, record in zip(scores(response), response["Document"]["explanations"]["kernel_shap"]):
        # The score comes as float32 text after two roundings, which is all the logit can be known from.
        known_to = 2**-23 / (score * (1 - score)) + 1e-9
        assert sums(record) == [pytest.approx(math.log(score / (1 - score)) - base, abs=known_to)]


def test_attributions_of_probabilities_add_up_per_class(invoke, wines):
    response = invoke("\n".join(wines), "wine")
    document = response["Document"]
    bases = json.loads(headers(response)["x-explaind-base-values"])
    assert list(document) == ["version", "predictions", "label_headers", "explanations"]
    assert document["label_headers"] == ["cultivar 1", "cultivar 2", "cultivar 3"]
    lines = document["predictions"]["data"].split("\n")
    assert len(lines) == len(wines)
    for line, record in zip(lines, document["explanations"]["kernel_shap"]):
        assert all(len(f["attributions"][0]["attribution"]) == 3 for f in record)
        probabilities = [float32(cell) for cell in line.split(",")]
        assert math.fsum(probabilities) == pytest.approx(1, abs=1e-6)
        for total, score, base in zip(sums(record), probabilities, bases, strict=True):
            assert total == pytest.approx(score - base, abs=1e-9 * max(score, base))


def test_a_hundred_records_get_the_answers_they_get_alone(invoke, records):
    rows = varied(records, 100)
    document = invoke("\n".join(rows))["Document"]
    data, explained = document["predictions"]["data"], document["explanations"]["kernel_shap"]
    assert len(data.split("\n")) == len(explained) == 100
    for i in range(0, 100, 9):
        alone = invoke(rows[i])["Document"]
        assert alone["predictions"]["data"] == data.split("\n")[i]
        assert alone["explanations"]["kernel_shap"] == [explained[i]]


def test_response_headers_name_device_kernel_estimator_and_times(invoke, records):
    found = headers(invoke(records[0]))
    assert found["x-explaind-device"]
    assert found["x-explaind-kernel"] == "shapley"
    assert set(re.split(r",\s*", found["x-explaind-estimator"])) <= ESTIMATORS
    assert re.findall(r"([\w-]+);dur=[\d.]+", found["server-timing"]) == STAGES


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_last_line_break_changes_nothing(invoke, records, ending):
    plain = invoke("\n".join(records[:3]))
    assert invoke("".join(row + ending for row in records[:3]))["Body"] == plain["Body"]


def test_parameters_of_the_content_type_change_nothing(invoke, records):
    plain = invoke(records[0])
    assert invoke(records[0], ContentType="text/csv; charset=utf-8")["Body"] == plain["Body"]


def test_a_missing_value_may_be_spelled_in_three_ways(invoke, records):
    benign = records[1]
    answers = [invoke(replaced(benign, 8, cell))["Body"] for cell in ("", "nan", "NaN")]
    assert answers == answers[:1] * 3
    assert answers[0] != invoke(benign)["Body"]


# EnableExplanations


def test_an_expression_chooses_the_records_to_explain(invoke, records):
    response = invoke("\n".join(records), EnableExplanations="[0]>`0.5`")
    explained = response["Document"]["explanations"]["kernel_shap"]
    assert [record is not None for record in explained] == [score > 0.5 for score in scores(response)]
    assert None in explained and any(explained)


@pytest.mark.parametrize("n_records", [1, 3])
def test_a_false_expression_explains_nothing(invoke, records, n_records):
    response = invoke("\n".join(records[:n_records]), EnableExplanations="`false`")
    assert response["Body"].endswith(b'"explanations":{}}')
    assert len(scores(response)) == n_records


def test_the_header_overrides_the_expression_of_the_definition(invoke, records):
    assert invoke(records[0], "quiet")["Document"]["explanations"] == {}
    explained = invoke(records[0], "quiet", EnableExplanations="`true`")["Document"]["explanations"]
    assert len(explained["kernel_shap"][0]) == 30


@pytest.mark.parametrize("expression", ["[0]", "[5]>`0.5`", "`1`", "[0] >", "[0]>`0.5"])
def test_an_expression_that_gives_no_boolean_is_a_model_error(client, invoke, records, expression):
    with pytest.raises(client.exceptions.ModelError) as error:
        invoke(records[0], EnableExplanations=expression)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert error.value.response["OriginalStatusCode"] == 400


# Errors


BAD_BODIES = {
    "a cell too few": (lambda rows: [rows[0], rows[1].rpartition(",")[0]], ["record 2", "29", "30"]),
    "a cell too many": (lambda rows: [rows[0], rows[1] + ",1"], ["record 2", "31", "30"]),
    "text": (lambda rows: [rows[0], replaced(rows[1], 3, "abc")], ["record 2", "column 3", "abc"]),
    "nothing": (lambda rows: [], ["record"]),
}


@pytest.mark.parametrize("make, words", BAD_BODIES.values(), ids=BAD_BODIES)
def test_bad_records_are_a_model_error_that_says_where(client, invoke, records, make, words):
    with pytest.raises(client.exceptions.ModelError) as error:
        invoke("\n".join(make(records)))
    response = error.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == 400
    assert [word for word in words if word not in response["Error"]["Message"]] == []


def test_another_content_type_is_a_model_error(client, invoke, records):
    with pytest.raises(client.exceptions.ModelError) as error:
        invoke(records[0], ContentType="application/json")
    assert error.value.response["OriginalStatusCode"] == 400


# Operation


def test_many_clients_at_once_get_the_answers_they_get_alone(invoke, records):
    rows = varied(records, 3 * N_CLIENTS)
    bodies = ["\n".join(rows[3 * i : 3 * i + 1 + i % 3]) for i in range(N_CLIENTS)]
    alone = [invoke(body)["Body"] for body in bodies]
    together = threading.Barrier(N_CLIENTS)

    def at_once(body):
        together.wait()
        return invoke(body)["Body"]

    with ThreadPoolExecutor(N_CLIENTS) as clients:
        assert list(clients.map(at_once, bodies)) == alone


def test_ping_and_metrics_answer(server):
    assert server.get("/ping").status == 200
    metrics = server.get("/metrics")
    assert metrics.status == 200
    assert metrics.headers["Content-Type"].startswith("text/plain")
    assert b"# TYPE explaind_" in metrics.body


def test_a_request_that_runs_when_the_server_is_told_to_end_is_answered(serve, examples, records, tmp_path):
    # Probabilities have no closed form, baseline rows make each record slow, and so few coalitions are the processor's on
    # either path: the time does not depend on the device.
    definition = json.loads((examples / "breast-cancer" / "endpoint.json").read_text())
    definition["PrimaryContainer"]["ModelDataUrl"] = str(examples / "breast-cancer" / "model.json")
    definition["ExplainerConfig"]["ClarifyExplainerConfig"]["ShapConfig"] = {
        "ShapBaselineConfig": {"MimeType": "text/csv", "ShapBaselineUri": "baseline.csv"},
        "NumberOfSamples": 100,
    }
    (tmp_path / "baseline.csv").write_text("\n".join(varied(records, 200)))
    (tmp_path / "endpoint.json").write_text(json.dumps(definition))
    server = serve(tmp_path / "endpoint.json")
    n_records = 4_000
    connection = server.connect()
    body = "\n".join(varied(records, n_records))
    connection.request("POST", "/endpoints/breast-cancer/invocations", body, {"Content-Type": "text/csv"})
    answered, _, _ = select([connection.sock], [], [], 0.2)
    assert not answered, "the request is too fast for this test"
    server.process.terminate()
    response = connection.getresponse()
    assert response.status == 200
    assert len(json.loads(response.read())["explanations"]["kernel_shap"]) == n_records
    assert server.stop() == 0
