"""Models in S3, as moto plays it, and at an https address: one of them, many below a prefix, in files and through the API."""

import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
import trustme
from botocore.exceptions import ClientError

from conftest import refusal
from model_archive import packed
from runtime import headers, runtime
from s3 import CREDENTIALS, SECRET, bucket

BUCKET = "our.models"
MIB = 1 << 20
BASELINE = "s3://our.models/wine/baseline.csv"


@pytest.fixture(scope="module")
def wine(examples):
    return (examples / "wine" / "model.json").read_bytes()


@pytest.fixture(scope="module")
def other(wine):
    """The same with another base score."""
    return wine.replace(b"[6.204486E-3,", b"[6.204486E-1,", 1)


@pytest.fixture(scope="module")
def rows(examples):
    return (examples / "wine" / "records.csv").read_text().splitlines()


@pytest.fixture(scope="module")
def s3(wine, other, rows):
    objects = {
        "wine/model.json": wine,
        "wine/model.tar.gz": packed(wine),
        "wine/baseline.csv": "\n".join(rows[1:4]).encode(),
        "wine/damaged.json": wine[:5000],
        "wine/large.bin": b"0" * (2 * MIB),
        "many/one.json": wine,
        "many/eu/a+50%,#b&c.tar.gz": packed(other),
        "many/damaged.json": wine[:5000],
        "many-more/one.json": other,
        "secret.json": other,
    }
    with bucket(BUCKET, objects) as variables:
        yield variables


@pytest.fixture(scope="module")
def definition(write_definition):
    """definition(name, PrimaryContainer) explains from a baseline in S3."""

    def definition(name, container, baseline=BASELINE):
        return write_definition(name, container, explainer(baseline))

    return definition


def explainer(baseline=BASELINE):
    shap = {"ShapBaselineConfig": {"ShapBaselineUri": baseline}, "NumberOfSamples": 64}
    return {"EnableExplanations": "`true`", "ShapConfig": shap}


def object_source(uri, kind, compression):
    source = {"S3Uri": uri, "S3DataType": kind, "CompressionType": compression}
    return {"ModelDataSource": {"S3DataSource": source | {"ModelAccessConfig": {"AcceptEula": True}}}}


def document(server, name, record, **options):
    """The answer's document and stamp."""
    answer = runtime(server.url).invoke_endpoint(EndpointName=name, ContentType="text/csv", Body=record, **options)
    return json.loads(answer["Body"].read()), headers(answer)["x-explaind-stamp"]


@pytest.fixture(scope="module")
def server(serve, definition, examples, s3):
    prefix = {"ModelDataUrl": f"s3://{BUCKET}/many/", "Mode": "MultiModel"}
    return serve(
        definition("local", {"ModelDataUrl": str(examples / "wine" / "model.json")}),
        definition("plain", {"ModelDataUrl": f"s3://{BUCKET}/wine/model.json"}),
        definition("packed", {"ModelDataUrl": f"s3://{BUCKET}/wine/model.tar.gz", "ContainerHostname": "primary"}),
        definition("object", object_source(f"s3://{BUCKET}/wine/model.tar.gz", "S3Object", "Gzip")),
        definition("many", prefix | {"MultiModelConfig": {"ModelCacheSetting": "Enabled"}}),
        definition("source", object_source(f"s3://{BUCKET}/many", "S3Prefix", "None") | {"Mode": "MultiModel"}),
        definition("nowhere", {"ModelDataUrl": "s3://no-such-bucket/many", "Mode": "MultiModel"}),
        environment=s3,
    )


def test_a_model_in_s3_answers_as_it_does_locally(server, rows):
    local, stamp = document(server, "local", rows[0])
    assert any(any(feature["attributions"][0]["attribution"]) for feature in local["explanations"]["kernel_shap"][0])
    assert document(server, "plain", rows[0]) == (local, stamp)
    for name in ("packed", "object"):
        assert document(server, name, rows[0])[0] == local


@pytest.mark.parametrize("name", ["many", "source"])
def test_each_object_below_a_prefix_is_a_model(server, rows, name):
    local, stamp = document(server, "local", rows[0])
    assert document(server, name, rows[0], TargetModel="one.json") == (local, stamp)
    differing, _ = document(server, name, rows[0], TargetModel="eu/a+50%,#b&c.tar.gz")
    assert differing["predictions"] != local["predictions"]


@pytest.mark.parametrize(
    ("name", "target", "code", "text"),
    [
        ("many", "absent.json", "ValidationError", "The target model absent.json does not exist."),
        ("many", "eu", "ValidationError", "The target model eu does not exist."),
        ("many", "../secret.json", "ValidationError", "'..'"),
        ("many", "eu/../../secret.json", "ValidationError", "'..'"),
        ("many", "/secret.json", "ValidationError", "relative path"),
        ("many", "%2e%2e/secret.json", "ValidationError", "percent escapes"),
        ("many", "..%2fsecret.json", "ValidationError", "percent escapes"),
        ("many", "?versionId=1", "ValidationError", "does not exist"),
        ("many", "one.json?x", "ValidationError", "does not exist"),
        ("many", "one.json#x", "ValidationError", "does not exist"),
        ("many", "damaged.json", "ModelError", "the target model damaged.json cannot be used: damaged JSON"),
        ("nowhere", "one.json", "ModelError", "one.json cannot be used: answered 404 Not Found (NoSuchBucket)"),
    ],
)
def test_a_name_leads_to_an_object_below_the_prefix_or_is_refused(server, rows, name, target, code, text):
    with pytest.raises(ClientError) as refused:
        document(server, name, rows[0], TargetModel=target)
    error = refused.value.response
    assert error["Error"]["Code"] == code
    told = error.get("OriginalMessage", error["Error"]["Message"])
    assert text in told and "s3://" not in told and "127.0.0.1" not in told


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("absent.json", "answered 404 Not Found (NoSuchKey)"),
        ("damaged.json", "damaged JSON"),
        ("large.bin", f"larger than the limit of {MIB} bytes"),
        ("", "is not s3://BUCKET/KEY"),
    ],
)
def test_a_model_that_cannot_be_used_is_named(definition, s3, key, reason):
    location = f"s3://{BUCKET}/wine/{key}"
    text = refusal(definition("refused", {"ModelDataUrl": location}), s3 | {"EXPLAIND_MODEL_MIB_MAX": "1"})
    assert f"PrimaryContainer.ModelDataUrl: {location}: {reason}" in text
    assert SECRET not in text


def test_an_object_that_packs_more_than_a_model_may_have_is_refused(definition, s3, wine):
    bomb = packed(wine + b" " * (8 * MIB))
    assert len(bomb) < MIB
    with bucket("bombs", {"model.tar.gz": bomb}) as variables:
        text = refusal(
            definition("bomb", {"ModelDataUrl": "s3://bombs/model.tar.gz"}), variables | {"EXPLAIND_MODEL_MIB_MAX": "1"}
        )
    assert f"the archive unpacks to more than {MIB} bytes" in text


class Handler(BaseHTTPRequestHandler):
    """Gives the model to who asks with the secret; as S3, to nobody."""

    def do_GET(self):
        is_allowed = self.path == f"/model.json?signature={SECRET}"
        body = self.server.model if is_allowed else b"<Error><Code>AccessDenied</Code></Error>"
        self.send_response(200 if is_allowed else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def http_server(wine):
    servers = []

    def http_server(context=None):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.model = wine
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server.server_port

    yield http_server
    for server in servers:
        server.shutdown()


def inline(rows):
    return {"ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": rows[1]}, "NumberOfSamples": 64}}


def test_a_model_at_an_https_url_answers_as_it_does_locally(
    serve, write_definition, examples, http_server, rows, tmp_path
):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    url = f"https://localhost:{http_server(context)}/model.json?signature={SECRET}"
    server = serve(
        write_definition("far", {"ModelDataUrl": url}, inline(rows)),
        write_definition("near", {"ModelDataUrl": str(examples / "wine" / "model.json")}, inline(rows)),
        environment={"SSL_CERT_FILE": str(tmp_path / "ca.pem")},
    )
    assert document(server, "far", rows[0]) == document(server, "near", rows[0])


def test_an_object_that_may_not_be_read_is_told_with_what_s3_does_not_say(serve, write_definition, http_server, rows):
    variables = CREDENTIALS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{http_server()}"}
    server = serve(
        write_definition("denied", {"ModelDataUrl": "s3://bucket/m", "Mode": "MultiModel"}, inline(rows)),
        environment=variables,
    )
    with pytest.raises(ClientError) as refused:
        document(server, "denied", rows[0], TargetModel="a")
    told = refused.value.response["OriginalMessage"]
    assert told.startswith("the target model a cannot be used: answered 403 Forbidden (AccessDenied); where a bucket")


@pytest.fixture(scope="module")
def deploy():
    """deploy(server, name, PrimaryContainer) through the API; gives what DescribeEndpoint says at the end."""

    def deploy(server, name, container, baseline=BASELINE):
        client = boto3.client(
            "sagemaker",
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        role = "arn:aws:iam::000000000000:role/anything"
        client.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=role)
        variant = {"VariantName": "AllTraffic", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        client.create_endpoint_config(
            EndpointConfigName=name,
            ProductionVariants=[variant],
            ExplainerConfig={"ClarifyExplainerConfig": explainer(baseline)},
        )
        client.create_endpoint(EndpointName=name, EndpointConfigName=name)
        give_up = time.monotonic() + 60
        while (description := client.describe_endpoint(EndpointName=name))["EndpointStatus"] == "Creating":
            assert time.monotonic() < give_up
            time.sleep(0.05)
        return description

    return deploy


@pytest.fixture(scope="module")
def api_server(serve, definition, tmp_path_factory):
    """api_server(variables) serves one endpoint of a file and whatever the API is asked for."""

    def api_server(variables):
        state = {"EXPLAIND_STATE": str(tmp_path_factory.mktemp("state"))}
        first = definition("first", {"ModelDataUrl": f"s3://{BUCKET}/wine/model.json"})
        return serve(first, environment=variables | state)

    return api_server


def test_models_made_through_the_api_are_read_from_s3(api_server, deploy, s3, rows):
    server = api_server(s3)
    expected = document(server, "first", rows[0])[0]
    container = {"ModelDataUrl": f"s3://{BUCKET}/wine/model.tar.gz", "Image": "0.dkr.ecr.us-east-1.amazonaws.com/x:1"}
    assert deploy(server, "one", container)["EndpointStatus"] == "InService"
    assert document(server, "one", rows[0])[0] == expected
    container = {"ModelDataUrl": f"s3://{BUCKET}/many", "Mode": "MultiModel", "Image": "x"}
    assert deploy(server, "all", container)["EndpointStatus"] == "InService"
    assert document(server, "all", rows[0], TargetModel="one.json")[0] == expected


@pytest.mark.parametrize("mode", ["SingleModel", "MultiModel"])
def test_hosts_and_files_out_of_reach_are_refused_in_definitions_made_through_the_api(
    api_server, deploy, examples, s3, tmp_path, mode
):
    server = api_server(s3 | {"EXPLAIND_ALLOW_BACKEND": "*.example,*.internal", "EXPLAIND_FILE_ROOT": str(tmp_path)})
    place = s3["AWS_ENDPOINT_URL_S3"].removeprefix("http://")
    secret, link = examples / "wine" / "model.json", tmp_path / "link.json"
    link.symlink_to(secret if mode == "SingleModel" else secret.parent)
    for i, (container, reason) in enumerate([
        ({"ModelDataUrl": f"s3://{BUCKET}/wine/model.json", "Mode": mode}, f"no --allow-backend fits {place}"),
        ({"ModelDataUrl": str(secret), "Mode": mode}, "below a folder of --file-root"),
        ({"ModelDataUrl": f"file://{link}", "Mode": mode}, "below a folder of --file-root"),
        ({"ModelDataUrl": f"{tmp_path}/../{secret}", "Mode": mode}, "below a folder of --file-root"),
        ({"Image": "http://169.254.169.254", "Mode": mode}, "no --allow-backend fits 169.254.169.254:80"),
        ({"Image": f"http://{place}", "Mode": mode}, f"no --allow-backend fits {place}"),
        ({"Image": "x", "Environment": {"EXPLAIND_CONTAINER_URL": f"http://{place}"}}, f"fits {place}"),
    ]):
        local = tmp_path / "baseline.csv"
        local.write_text("0," * 12 + "0")
        description = deploy(server, f"{mode}-{i}", container, str(local))
        assert description["EndpointStatus"] == "Failed"
        assert reason in description["FailureReason"], description["FailureReason"]
