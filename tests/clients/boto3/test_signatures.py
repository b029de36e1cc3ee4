"""Signatures on the wire: what botocore signs is let in, and nothing of it that was changed afterwards."""

import datetime
import http.client
import random
import re
import socket
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from conftest import ANSWER_S
from keys import CREDENTIALS, TOKEN_CREDENTIALS, settings

RECORD = "13.77,1.9,2.68,17.1,115.0,3.0,2.79,0.39,1.68,6.3,1.13,2.93,1375.0"
WINE = "/endpoints/wine/invocations"
CSV = ("Content-Type", "text/csv")
LIST = [("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", "SageMaker.ListEndpoints")]
N_CHANGED, SEED = 10_000, 20_150_830


@pytest.fixture(scope="module")
def server(serve, examples, tmp_path_factory):
    return serve(examples / "wine" / "endpoint.json", environment=settings(tmp_path_factory.mktemp("signatures")))


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: tuple
    body: bytes

    def value(self, name):
        return next(value for given, value in self.headers if given.lower() == name)

    def replacing(self, name, value):
        headers = tuple((given, value if given.lower() == name else own) for given, own in self.headers)
        return replace(self, headers=headers)

    def adding(self, name, value):
        return replace(self, headers=(*self.headers, (name, value)))

    def dropping(self, name):
        return replace(self, headers=tuple(header for header in self.headers if header[0].lower() != name))

    def stating(self, old, new):
        text = self.value("authorization")
        assert old in text, (old, text)
        return self.replacing("authorization", text.replace(old, new, 1))

    def written(self):
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        head = "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""])
        return head.encode() + self.body


class Wire:
    """Sends bytes, over one connection while the server keeps it."""

    def __init__(self, server):
        self.address, self.socket = urlsplit(server.url), None

    def send(self, request):
        """Status, type of the error, body."""
        if self.socket is None:
            self.socket = socket.create_connection((self.address.hostname, self.address.port), ANSWER_S)
        self.socket.sendall(request.written())
        response = http.client.HTTPResponse(self.socket, method=request.method)
        response.begin()
        answer = response.status, response.getheader("x-amzn-errortype"), response.read()
        if response.will_close:
            self.close()
        return answer

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None


@pytest.fixture(scope="module")
def wire(server):
    wire = Wire(server)
    yield wire
    wire.close()


def signed(server, headers, target=WINE, body=RECORD.encode(), credentials=CREDENTIALS, region="us-east-1"):
    """Signed by botocore. Headers may come twice."""
    host = urlsplit(server.url).netloc
    request = AWSRequest("POST", server.url + target, data=body)
    for name, value in headers:
        request.headers[name] = value
    SigV4Auth(credentials, "sagemaker", region).add_auth(request)
    return Request("POST", target, (("Host", host), *request.headers.items()), body)


@pytest.mark.parametrize(
    ("headers", "target", "body"),
    [
        ([CSV], WINE, RECORD),
        ([CSV, ("Accept", "text/csv"), ("Accept", "application/json")], WINE, RECORD),
        ([CSV, ("X-Amz-Meta", "b"), ("X-Amz-Meta", "a")], WINE, RECORD),
        ([CSV, ("X-Amz-Meta", "")], WINE, RECORD),
        ([CSV, ("X-Amz-Meta", "  a   b\t\tc ")], WINE, RECORD),
        ([CSV, ("x-other", "é ü")], WINE, RECORD),
        ([CSV, ("Date", "replaced by botocore")], WINE, RECORD),
        ([CSV, ("X-Amz-Content-SHA256", botocore.auth.EMPTY_SHA256_HASH)], WINE, ""),
        ([], WINE, ""),
        ([CSV], WINE + "?b=2&a=1&a=0&c&d=%20%C3%A9&=e", RECORD),
        ([CSV], "/endpoints/wi%6Ee/invocations", RECORD),
        ([CSV], "/endpoints/a%2fb%20c~'()*!/invocations", RECORD),
    ],
)
def test_odd_requests_that_botocore_signs_are_let_in(server, wire, headers, target, body):
    request = signed(server, headers, target=target, body=body.encode())
    status, code, body = wire.send(request)
    assert status in (200, 400, 424) and code in (None, "ValidationError", "ModelError"), (status, code, body)


def test_what_does_not_count_may_change_on_the_way(server, wire):
    request = signed(server, [CSV, ("X-Amzn-SageMaker-Custom-Attributes", "a b")])
    authorization = request.value("authorization")
    for changed in [
        request,
        replace(request, headers=tuple((name.upper(), value) for name, value in request.headers)),
        replace(request, headers=request.headers[::-1]),
        request.replacing("x-amzn-sagemaker-custom-attributes", "  a    b  "),
        request.replacing("authorization", authorization.replace(", ", ",")),
        request.replacing("authorization", authorization.replace(", ", " ,  ")),
        request.adding("User-Agent", "a proxy"),
        request.adding("X-Forwarded-For", "192.0.2.1"),
        request.adding("X-Amzn-Trace-Id", "Root=1"),
        replace(request, target=WINE + "?"),
    ]:
        assert wire.send(changed)[0] == 200, changed


# Changes of meaning


def other_char(rng, char):
    """Another one, so that neither stands for the other in any spelling."""
    return rng.choice([other for other in "abcXYZ012789" if other.lower() != char.lower()])


def flip(rng, text):
    """One letter or digit is another one."""
    places = [place for place, char in enumerate(text) if char.isascii() and char.isalnum()]
    if not places:
        return text + "x"
    place = rng.choice(places)
    return text[:place] + other_char(rng, text[place]) + text[place + 1 :]


def drop_char(rng, text):
    places = [place for place, char in enumerate(text) if not char.isspace()]
    place = rng.choice(places) if places else 0
    return text[:place] + text[place + 1 :] if places else text + "x"


def add_char(rng, text):
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice("aZ9,;=.~") + text[place:]


def split_word(rng, text):
    places = [place for place in range(1, len(text)) if not (text[place - 1].isspace() or text[place].isspace())]
    if not places:
        return text + " x"
    place = rng.choice(places)
    return text[:place] + rng.choice([" ", "\t"]) + text[place:]


def other_case(rng, text):
    return text.swapcase() if text.swapcase() != text else flip(rng, text)


TEXTS = [flip, drop_char, add_char, split_word, other_case]


def signed_names(request):
    return re.search("SignedHeaders=([^,]*)", request.value("authorization"))[1].split(";")


def change_method(rng, request):
    return replace(request, method=rng.choice(["GET", "PUT", "post", "PATCH", "DELETE", "POSTS"]))


def change_path(rng, request):
    path, _, query = request.target.partition("?")
    if path == "/":
        return replace(request, target=rng.choice(["//", "/.", "/x", "/%2F", "/endpoints/wine/invocations", "/x/.."]))
    endpoint = path.split("/")[2]
    place = rng.randrange(len(endpoint))
    encoded = endpoint[:place] + f"%{ord(endpoint[place]):02X}" + endpoint[place + 1 :]
    others = [flip(rng, endpoint), endpoint.upper(), encoded, endpoint + "%20", endpoint + ".", add_char(rng, endpoint)]
    target = path.replace(f"/{endpoint}/", f"/{rng.choice(others)}/", 1)
    return replace(request, target=rng.choice([target, path + "/", path + "%00"]) + (f"?{query}" if query else ""))


def change_query(rng, request):
    more = rng.choice(["a=b", "=", "&", "X-Amz-Signature=00", "X-Amz-Algorithm=AWS4-HMAC-SHA256", "Action=Invoke"])
    path, _, query = request.target.partition("?")
    return replace(request, target=f"{path}?{query}&{more}" if query else f"{path}?{more}")


def change_value(rng, request):
    name = rng.choice(signed_names(request))
    return request.replacing(name, rng.choice(TEXTS)(rng, request.value(name)))


def drop_header(rng, request):
    return request.dropping(rng.choice([*signed_names(request), "authorization"]))


def repeat_header(rng, request):
    name = rng.choice([*signed_names(request), "authorization"])
    value = request.value(name)
    return request.adding(name, rng.choice([value, flip(rng, value), ""]))


def empty_header(rng, request):
    name = rng.choice([name for name in signed_names(request) if request.value(name)])
    return request.replacing(name, "")


def swap_headers(rng, request):
    first, second = rng.sample(signed_names(request), 2)
    one, other = request.value(first), request.value(second)
    changed = request.replacing(first, other).replacing(second, one)
    return changed if one != other else request.dropping(first)


def add_header(rng, request):
    names = ["X-Amz-Meta", "X-Amz-Security-Token", "x-amz-content-sha256", "X-Amz-Target"]
    options = ["Enable-Explanations", "Target-Variant", "Custom-Attributes", "New"]
    names += [f"X-Amzn-SageMaker-{option}" for option in options]
    return request.adding(rng.choice(names), rng.choice(["", "a", "`true`", "AllTraffic"]))


def change_signature(rng, request):
    text = request.value("authorization")
    own = text[-64:]
    place = rng.randrange(64)
    bit = f"{int(own[place], 16) ^ (1 << rng.randrange(4)):x}"
    upper = own.upper() if own.upper() != own else own[:-1]
    others = [own[:place] + bit + own[place + 1 :], own[1:], own + "0", upper, own[::-1], "0" * 64, "", own[:-1] + "g"]
    return request.stating(own, rng.choice([other for other in others if other != own]))


def change_scope(rng, request):
    key_id, date, region, service, end = re.search("Credential=([^,]*),", request.value("authorization"))[1].split("/")
    ids = [CREDENTIALS.access_key, TOKEN_CREDENTIALS.access_key]
    other_id = ids[key_id == ids[0]]
    others = [
        (flip(rng, key_id), date, region, service, end),
        (other_id, date, region, service, end),
        ("", date, region, service, end),
        (key_id, f"{int(date) + rng.choice([-1, 1])}", region, service, end),
        (key_id, date[:-1], region, service, end),
        (key_id, date, rng.choice(["us-east-2", "", "US-EAST-1", region + " "]), service, end),
        (key_id, date, region, rng.choice(["s3", "SageMaker", "sagemaker-runtime", ""]), end),
        (key_id, date, region, service, rng.choice(["aws4_requests", "aws4-request", ""])),
        (key_id, date, region, service),
        (key_id, date, region, service, end, end),
    ]
    return request.stating("/".join((key_id, date, region, service, end)), "/".join(rng.choice(others)))


def change_names(rng, request):
    names = signed_names(request)
    dropped = rng.choice(names)
    others = [
        [name for name in names if name != dropped],
        sorted([*names, rng.choice(["expect", "user-agent", "a", "content-length"])]),
        names[::-1],
        [*names, names[-1]],
        [name.upper() for name in names],
        [*names, ""],
        [],
        [f" {names[0]}", *names[1:]],
    ]
    changed = rng.choice([other for other in others if other != names])
    return request.stating(";".join(names), ";".join(changed))


def change_form(rng, request):
    text = request.value("authorization")
    scheme, parameters = text.split(" ", 1)
    first, second, third = parameters.split(", ")
    others = [
        parameters,
        f"{scheme}",
        f"aws4-hmac-sha256 {parameters}",
        f"AWS4-HMAC-SHA1 {parameters}",
        f"AWS4-ECDSA-P256-SHA256 {parameters}",
        f"{scheme}{parameters}",
        f"Bearer {parameters}",
        f"{scheme} {first}, {second}",
        f"{scheme} {first}, {third}",
        f"{scheme} {second}, {third}",
        f"{scheme} {first}; {second}; {third}",
        f"{scheme} {first}, {second}, {third}, {third}",
        f"{scheme} {first}, {second}, {third}, Extra=1",
        f"{scheme} {parameters.replace('Credential', 'credential')}",
        f"{scheme} {parameters},{'a' * 9_000}",
        f"{scheme} é{parameters}",
        "",
        ",,,",
        "=" * 100,
    ]
    return request.replacing("authorization", rng.choice(others))


def change_date(rng, request):
    own = request.value("x-amz-date")
    moment = datetime.datetime.strptime(own, "%Y%m%dT%H%M%SZ")
    seconds = rng.choice([-1, 1, -60, 60, -901, 901, -86_400, 86_400, 10**9])
    moved = (moment + datetime.timedelta(seconds=seconds)).strftime("%Y%m%dT%H%M%SZ")
    others = [moved, own[:-1], own.lower(), own + "Z", moment.isoformat(), "99999999T999999Z", "é", ""]
    return request.replacing("x-amz-date", rng.choice(others))


def change_body(rng, request):
    body = request.body
    others = [body + b"\n", body + b" ", body + b"\x00", body + body + b"1", b"1,2,3"]
    if body:
        place = rng.randrange(len(body))
        others += [body[:place] + bytes([body[place] ^ (1 << rng.randrange(8))]) + body[place + 1 :], body[:-1], b""]
    return replace(request, body=rng.choice([other for other in others if other != body]))


CHANGES = [
    change_method,
    change_path,
    change_query,
    change_value,
    drop_header,
    repeat_header,
    empty_header,
    swap_headers,
    add_header,
    change_signature,
    change_scope,
    change_names,
    change_form,
    change_date,
    change_body,
]


def bases(server):
    attributes = ("X-Amzn-SageMaker-Custom-Attributes", "c=1, d=2")
    return [
        signed(server, [CSV]),
        signed(server, [CSV, ("Accept", "text/csv"), attributes], credentials=TOKEN_CREDENTIALS),
        signed(server, [CSV, ("X-Amzn-SageMaker-Inference-Id", "7"), attributes], region="eu-central-1"),
        signed(server, [CSV, ("X-Amzn-SageMaker-Enable-Explanations", "`true`")], target=WINE + "?b=2&a=1"),
        signed(server, [CSV, ("X-Amz-Content-SHA256", botocore.auth.EMPTY_SHA256_HASH)], body=b""),
        signed(server, LIST, target="/", body=b'{"MaxResults":10}'),
        signed(server, [*LIST, ("Accept", "*/*")], target="/", body=b"{}", credentials=TOKEN_CREDENTIALS),
    ]


def is_refused(answer):
    """By the gate; or it is no call or no HTTP any more."""
    status, code, body = answer
    is_unknown = status in (404, 405) and code == "UnknownOperationException"
    return status == 403 or is_unknown or (status == 400 and body == b"")


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_of_meaning_is_refused(server, wire, change):
    rng = random.Random(f"{SEED} {change.__name__}")
    for request in bases(server):
        assert wire.send(request)[0] in (200, 424), request
        for _ in range(60):
            changed = change(rng, request)
            assert changed != request
            answer = wire.send(changed)
            assert is_refused(answer), (answer, changed)
            if change not in (change_method, change_path, change_value):
                assert answer[0] == 403, (answer, changed)


def test_thousands_of_changed_requests_are_refused_and_the_unchanged_are_let_in(server, wire):
    rng, n_refused = random.Random(SEED), 0
    for idx in range(N_CHANGED):
        if idx % 500 == 0:
            requests = bases(server)
            assert all(wire.send(request)[0] in (200, 424) for request in requests)
        request = changed = rng.choice(requests)
        for change in rng.sample(CHANGES, rng.randint(1, 3)):
            try:
                changed = change(rng, changed)
            except (AssertionError, IndexError, StopIteration, TypeError, ValueError):
                # An earlier change took away what this one changes.
                continue
        if sorted(changed.headers) == sorted(request.headers) and replace(changed, headers=request.headers) == request:
            # One took back what the other had changed.
            continue
        answer = wire.send(changed)
        assert is_refused(answer), (answer, changed)
        n_refused += 1
    assert n_refused > 0.99 * N_CHANGED
    assert server.process.poll() is None
    assert b"explaind_panics_total" not in server.get("/metrics").body
