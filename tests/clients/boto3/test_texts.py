"""The developer guide's example of a text as its readers run it: its ExplainerConfig through boto3's control plane, its
request, and its answer, from a model that gives each coalition the sum of what was recorded of its units."""

import csv
import itertools
import json
from fractions import Fraction

import pytest
from aws_variables import ROLE
from conftest import ROOT, Reply
from control import Account
from games import spliced
from runtime import CSV, explained, headers, units

(RECORDING,) = json.loads((ROOT / "tests/api/recorded/text-token.json").read_text())["answers"]
SCORE = RECORDING["body"]["predictions"]["data"]
((RECORDED,),) = RECORDING["body"]["explanations"]["kernel_shap"]
TEXT = "This is a good product"
CONFIG = {
    "ClarifyExplainerConfig": {
        "InferenceConfig": {"FeatureTypes": ["text"], "MaxRecordCount": 100},
        "ShapConfig": {
            "ShapBaselineConfig": {"ShapBaseline": '"<MASK>"'},
            "TextConfig": {"Granularity": "token", "Language": "en"},
            "NumberOfSamples": 100,
        },
    }
}
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/huggingface-pytorch-inference:1"
NEAR = Fraction(1, 10**9)


def attributions(feature):
    return [Fraction(unit["attribution"][0]) for unit in feature["attributions"]]


def worths():
    """Of each text that can be made of the units. Nobody is the baseline itself, and not a mask for each unit."""
    parts = attributions(RECORDED)
    base = Fraction(SCORE) - sum(parts)
    found = {"<MASK>": base}
    for members in itertools.product([False, True], repeat=len(parts)):
        if any(members):
            made = spliced(TEXT, units(RECORDED), "<MASK>", members)
            found[made] = base + sum(itertools.compress(parts, members))
    return found


@pytest.fixture(scope="module")
def account(serve_api, stub):
    worth = worths()

    def answer(asked):
        if asked.body == f'"{TEXT}"':
            return Reply(SCORE)
        return Reply("\n".join(repr(float(worth[text])) for (text,) in csv.reader(asked.body.splitlines())))

    account = Account(serve_api(environment={"EXPLAIND_CONTAINER_MAP": f"{IMAGE}={stub(answer).url}"}).url)
    account.control.create_model(ModelName="trees", PrimaryContainer={"Image": IMAGE}, ExecutionRoleArn=ROLE)
    account.serve("guide", explainer=CONFIG)
    return account


def test_the_example_of_the_guide_is_answered_as_there(account):
    assert account.describe("guide")["ExplainerConfig"] == CONFIG
    request = {"EndpointName": "guide", "ContentType": CSV, "Accept": CSV, "Body": f'"{TEXT}"'}
    response = account.runtime.invoke_endpoint(**request)
    document = explained(response)
    assert document["predictions"] == RECORDING["body"]["predictions"]
    ((feature,),) = document["explanations"]["kernel_shap"]
    assert list(feature) == list(RECORDED) == ["attributions", "feature_type"]
    assert (feature["feature_type"], units(feature)) == ("text", units(RECORDED))
    pairs = zip(attributions(feature), attributions(RECORDED), strict=True)
    assert [abs(got - expected) < NEAR for got, expected in pairs] == [True] * 5
    (base,) = json.loads(headers(response)["x-explaind-base-values"])
    assert abs(sum(attributions(feature)) - (Fraction(SCORE) - Fraction(base))) < NEAR
