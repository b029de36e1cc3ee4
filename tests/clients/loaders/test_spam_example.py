"""The spam example: its script works on mails made here, and its files are those of the script.

The mails of the corpus are not fetched: what is in model.onnx is checked against the rules of the script instead.
"""

import csv
import importlib.util
import io
import json
import re
import tarfile
from email.message import EmailMessage

import numpy as np
import onnx
import pytest
from conftest import ROOT

FOLDER = ROOT / "examples/spam"
BYTES_MAX = 150_000
OUTPUTS_BOUND = 1e-6


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("train_spam", FOLDER / "train.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def records():
    with (FOLDER / "records.csv").open(newline="") as file:
        return [text for (text,) in csv.reader(file)]


def attributes(model, operator):
    (node,) = [node for node in model.graph.node if node.op_type == operator]
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def mail(plain=None, page=None):
    message = EmailMessage()
    message["Subject"] = "a header"
    if plain is not None:
        message.set_content(plain, cte="quoted-printable")
    if page is not None:
        (message.set_content if plain is None else message.add_alternative)(page, subtype="html")
    return "From someone@mail.example\n" + message.as_string()


def packed(mails):
    """The package's archive with these (group, text) inside, and files that are no mails."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for idx, (group, text) in enumerate(mails):
            content = json.dumps({"group": group, "text": text}).encode()
            for ending in ["json", "txt"]:
                member = tarfile.TarInfo(f"package/data/{group}/{len(mails) - idx:05}.{ending}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


def test_a_mail_says_what_its_reader_sees_without_headers_addresses_and_links(script):
    page = "<html><style>p {}</style><p>Buy&nbsp;now<br>at <a href='x'>http://shop.example/a?b</a> &amp; save</p></html>"
    assert script.body(mail(plain="Größe: ask me@shop.example now")).split() == ["Größe:", "ask", "now"]
    assert script.body(mail(page=page)).split() == ["Buy", "now", "at", "&", "save"]
    assert script.body(mail(plain="as plain text", page=page)).split() == ["as", "plain", "text"]


def corpus():
    """(group, mail): eight mails, one of them twice, and one that says nothing."""
    kinds = {"spam-1": "Click here, {}: FREE money {}", "easy-ham-1": "I think here {} wrote money code {}"}
    for n in range(4):
        name = "anna" if n == 0 else "Anna"
        yield from ((group, mail(plain=text.format(name, "again " * n))) for group, text in kinds.items())
    yield "spam-1", mail(plain=kinds["spam-1"].format("Anna", "again"))
    yield "hard-ham-1", mail(plain="\n")


def test_the_mails_of_the_package_are_read_in_the_order_of_their_files(script):
    mails = list(corpus())
    in_order = sorted(reversed(mails), key=lambda mail: mail[0])
    assert script.read_mails(packed(mails)) == [(text, group == "spam-1") for group, text in in_order]


def test_the_script_makes_a_model_that_answers_as_scikit_learn_does(script):
    texts, is_spam = script.messages(script.read_mails(packed(list(corpus()))))
    assert (len(texts), is_spam.sum()) == (8, 4)
    model = script.train(texts, is_spam)
    # Of both kinds and no name.
    assert sorted(model[0].vocabulary_) == ["again", "here", "money"]
    asked = texts + ["", " ", "money-back", "moneyback", "HERE money money x", "größe here"]
    answers = script.answers(script.export(model), asked)
    np.testing.assert_allclose(answers, model.predict_proba(asked)[:, 1], rtol=0, atol=OUTPUTS_BOUND)


def test_the_definitions_are_those_of_the_script(script):
    assert {name: (FOLDER / name).read_text() for name in script.definitions()} == script.definitions()


def test_the_model_holds_frequent_words_in_the_pattern_of_the_script(script):
    content = (FOLDER / "model.onnx").read_bytes()
    model = onnx.load_from_string(content)
    words = [word.decode() for word in attributes(model, "TfIdfVectorizer")["pool_strings"]]
    assert attributes(model, "Tokenizer")["tokenexp"].decode() == script.WORD
    assert words == sorted(set(words)) and all(re.fullmatch(script.WORD, word) for word in words)
    assert f"{len(words):,} words" in (FOLDER / "README.md").read_text()
    assert len(content) <= BYTES_MAX


def test_both_endpoints_answer_as_onnxruntime_and_attributions_add_up(serve, script, records):
    server = serve(*(FOLDER / name for name in script.definitions()))
    expected = script.answers((FOLDER / "model.onnx").read_bytes(), [*records, " "])
    log_odds = np.log(expected / (1 - expected))
    for name in ["spam", "spam-sentences"]:
        answer = server.invoke(name, (FOLDER / "records.csv").read_bytes())
        np.testing.assert_allclose(np.ravel(answer.scores), expected[:-1], rtol=0, atol=OUTPUTS_BOUND)
        sums = [
            sum(unit["attribution"][0] for unit in feature["attributions"])
            for (feature,) in answer.document["explanations"]["kernel_shap"]
        ]
        np.testing.assert_allclose(sums, log_odds[:-1] - log_odds[-1], rtol=0, atol=1e-4)
