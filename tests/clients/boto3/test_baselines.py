"""Baselines that an endpoint names in ShapBaselineUri: S3 as moto plays it, and an https server of our own."""

import shutil
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conftest import refusal
from s3 import CREDENTIALS, SECRET, bucket

BUCKET = "baselines"
# Where nothing listens: a server that used it would fail.
PROXIES = {name: "http://127.0.0.1:9" for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")}
MIB = 1 << 20


@pytest.fixture(scope="module")
def rows(examples):
    return "\n".join((examples / "breast-cancer" / "records.csv").read_text().splitlines()[1:4])


@pytest.fixture(scope="module")
def s3(rows):
    """The variables of a process that uses the S3 of this test, which holds the rows."""
    objects = {"a folder/rows+1#é.csv": rows.encode(), "large.csv": b"0" * (MIB + 1)}
    with bucket(BUCKET, objects) as variables:
        yield variables


class Handler(BaseHTTPRequestHandler):
    """Gives the rows to who may have them, sends others away, and moves one address to another."""

    def do_GET(self):
        if self.path == "/moved.csv":
            self.send_response(302)
            self.send_header("Location", f"/rows.csv?signature={SECRET}")
        else:
            self.send_response(200 if self.is_allowed() else 403)
        self.send_header("Content-Length", str(len(self.server.rows)))
        self.end_headers()
        self.wfile.write(self.server.rows)

    def is_allowed(self):
        return self.path == f"/rows.csv?signature={SECRET}"

    def log_message(self, *_):
        pass


class SignedHandler(Handler):
    """Recomputes a signature with botocore, which moto does not."""

    def is_allowed(self):
        url, signature = f"http://{self.headers['Host']}{self.path}".split("&X-Amz-Signature=")
        query = parse_qs(urlsplit(url).query)
        request = AWSRequest("GET", url, headers={"Host": self.headers["Host"]})
        request.context["timestamp"] = query["X-Amz-Date"][0]
        signer = S3SigV4QueryAuth(Credentials("test", SECRET), "s3", "us-east-1")
        text = signer.string_to_sign(request, signer.canonical_request(request))
        return signature == signer.signature(text, request)


@pytest.fixture(scope="module")
def signed(rows):
    """The variables of a process whose S3 checks signatures."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), SignedHandler)
    server.rows = rows.encode()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield CREDENTIALS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}
    server.shutdown()


@pytest.fixture(scope="module")
def https(rows, tmp_path_factory):
    """The base URL of an https server, and the variables of a process that trusts it."""
    authority = trustme.CA()
    trusted = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.rows = rows.encode()
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_port}", {"SSL_CERT_FILE": str(trusted)}
    server.shutdown()


@pytest.fixture(scope="module")
def endpoint(define, examples):
    """endpoint(name, baseline) defines a breast-cancer endpoint with an inline baseline or a location."""
    model = examples / "breast-cancer" / "model.json"

    def endpoint(name, baseline):
        is_location = "://" in baseline
        config = {"ShapBaselineUri" if is_location else "ShapBaseline": baseline}
        return define(name, lambda path: shutil.copy(model, path), config)

    return endpoint


def answers_agree(server, record):
    named, inline = (server.invoke(name, record) for name in ("named", "inline"))
    assert named.document == inline.document
    assert named.base_values == inline.base_values
    return any(any(feature) for feature in named.attributions[0])


@pytest.fixture(scope="module")
def record(examples):
    return (examples / "breast-cancer" / "records.csv").read_text().splitlines()[0]


def test_an_object_serves_like_the_same_rows_inline(serve, endpoint, s3, rows, record):
    named = endpoint("named", f"s3://{BUCKET}/a folder/rows+1#é.csv")
    server = serve(named, endpoint("inline", rows), environment=s3 | PROXIES)
    assert answers_agree(server, record)


def test_an_object_is_asked_for_with_the_signature_that_botocore_computes(serve, endpoint, signed, rows, record):
    named = endpoint("named", f"s3://{BUCKET}/a folder/rows+1#é.csv")
    assert answers_agree(serve(named, endpoint("inline", rows), environment=signed), record)
    wrong = signed | {"AWS_SECRET_ACCESS_KEY": "another"}
    assert "answered 403 Forbidden" in refusal(named, wrong)


def test_an_https_url_serves_like_the_same_rows_inline(serve, endpoint, https, rows, record):
    url, variables = https
    named = endpoint("named", f"{url}/rows.csv?signature={SECRET}")
    server = serve(named, endpoint("inline", rows), environment=variables | PROXIES)
    assert answers_agree(server, record)


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        (f"s3://{BUCKET}/missing.csv", "answered 404 Not Found (NoSuchKey)"),
        ("s3://no-such-bucket/rows.csv", "answered 404 Not Found (NoSuchBucket)"),
        (f"s3://{BUCKET}/large.csv", f"larger than the limit of {MIB} bytes"),
    ],
)
def test_an_object_that_cannot_be_used_is_named(endpoint, s3, location, reason):
    text = refusal(endpoint("refused", location), s3 | {"EXPLAIND_BASELINE_MIB_MAX": "1"})
    assert f"ShapBaselineUri: {location}: {reason}\n" in text
    assert SECRET not in text


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (f"/other.csv?signature={SECRET}", "answered 403 Forbidden"),
        ("/moved.csv", "answered 302 Found; redirects are not followed"),
    ],
)
def test_an_https_url_that_refuses_is_named_without_its_query(endpoint, https, path, reason):
    url, variables = https
    text = refusal(endpoint("refused", url + path), variables)
    assert f"ShapBaselineUri: {url}{path.split('?')[0]}: {reason}\n" in text
    assert SECRET not in text


def test_a_certificate_that_is_not_trusted_is_refused(endpoint, https, tmp_path):
    url, _ = https
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    text = refusal(endpoint("refused", f"{url}/rows.csv?signature={SECRET}"), {"SSL_CERT_FILE": str(other)})
    assert f"ShapBaselineUri: {url}/rows.csv: no connection: invalid peer certificate" in text
    assert SECRET not in text


def test_plain_http_is_refused(endpoint, s3):
    text = refusal(endpoint("refused", f"{s3['AWS_ENDPOINT_URL_S3']}/{BUCKET}/large.csv"), s3)
    assert "shapBaselineUri' failed to satisfy constraint: " in text
    assert "pattern: (https|s3)://" in text
