"""Classifiers of texts in multi-model-server, asked with boto3: the Shapley values of the pipelines themselves, by
definition, over the units that the answer names."""

import json
from fractions import Fraction

import pytest

from games import shapley, text_game
from model_server import model_server, save
from runtime import CSV, JSON_LINES, JSON_RECORDS, explained, headers, runtime, units, written
from text_models import fit, scores

NEAR = Fraction(1, 10**9)
# A word that the models know, so that it matters how often and where it stands.
ABSENT = "this"
# By language and granularity. Texts with commas, quotes, line breaks, one unit and none.
TEXTS = {
    ("en", "token"): ['Great "case", but\nthe charger broke.', "Excellent!", ""],
    ("en", "sentence"): ['Great food.\nThe waiter said "no, thanks", twice.  We won\'t go back!', "Good", ""],
    ("en", "paragraph"): ["Nice place.\nGood food.\n\nBad service, though.\n\n\"Never again\", said my wife.", "Bad."],
    ("es", "token"): ["¡Qué móvil tan bueno, señor! ☺", "Horrible.", " "],
    ("es", "sentence"): ['¿Buena comida? Sí. El camarero dijo "adiós", y no volvió.', "Excelente"],
}
NAMES = {case: "-".join(case) for case in TEXTS}
MIXED = {
    ("en", "token"): [['Good, but "slow".', 2], ["Lovely", 5], ["", 1], ["Bad.", 3]],
    ("es", "sentence"): [["Buena comida. Servicio lento,\npero amable.", 4.5], ["Malo.", 3]],
}


def explainer(case, baseline, **inference):
    language, granularity = case
    return {
        "InferenceConfig": JSON_RECORDS | inference,
        "ShapConfig": {
            "ShapBaselineConfig": {"ShapBaseline": baseline},
            "TextConfig": {"Language": language, "Granularity": granularity},
        },
    }


@pytest.fixture(scope="module")
def deploy(serve, write_definition, tmp_path_factory):
    """deploy(port, {endpoint: explainer}) returns a call of boto3 on the model server's endpoints."""

    def deploy(port, configs):
        image = {"Image": f"http://127.0.0.1:{port}"}
        client = runtime(serve(*(write_definition(name, image, config) for name, config in configs.items())).url)

        def invoke(name, records, content_type):
            options = {"EndpointName": name, "ContentType": content_type, "Accept": content_type}
            return client.invoke_endpoint(Body=written(records, content_type), **options)

        return invoke

    return deploy


@pytest.fixture(scope="module")
def texts_only(deploy, tmp_path_factory):
    """The scores of a model of texts alone, and a call of its endpoints, whose baseline is one word."""
    model = fit(with_stars=False)
    with model_server(save(model, tmp_path_factory.mktemp("texts") / "reviews")) as port:
        configs = {NAMES[case]: explainer(case, ABSENT, FeatureTypes=["text"]) for case in TEXTS}
        yield scores(model), deploy(port, configs)


@pytest.fixture(scope="module")
def with_stars(deploy, tmp_path_factory):
    """The same of texts and stars. Its types are not given: the baseline shows them."""
    model = fit(with_stars=True)
    with model_server(save(model, tmp_path_factory.mktemp("mixed") / "starred")) as port:
        yield scores(model), deploy(port, {NAMES[case]: explainer(case, f"{ABSENT},3") for case in MIXED})


def check(response, scores, records, baseline):
    document = explained(response)
    (base,) = json.loads(headers(response)["x-explaind-base-values"])
    assert base == pytest.approx(scores([baseline])[0], abs=1e-12)
    for record, features in zip(records, document["explanations"]["kernel_shap"], strict=True):
        is_text = [isinstance(cell, str) for cell in record]
        assert [feature["feature_type"] == "text" for feature in features] == is_text
        cut = [units(feature) if text else None for feature, text in zip(features, is_text, strict=True)]
        values = text_game(scores, record, cut, [baseline])
        got = [attribution["attribution"][0] for feature in features for attribution in feature["attributions"]]
        expected = shapley(values, len(got))
        assert [abs(a - b) < NEAR for a, b in zip(got, expected, strict=True)] == [True] * len(expected)
    return [features[0]["attributions"] for features in document["explanations"]["kernel_shap"]]


@pytest.mark.parametrize("content_type", [CSV, JSON_LINES])
@pytest.mark.parametrize("case", TEXTS, ids=NAMES.get)
def test_attributions_are_the_shapley_values_of_the_units(texts_only, case, content_type):
    scores, invoke = texts_only
    records = [[text] for text in TEXTS[case]]
    response = invoke(NAMES[case], records, content_type)
    first, *_ = check(response, scores, records, [ABSENT])
    assert max(abs(unit["attribution"][0]) for unit in first) > Fraction(1, 100)


@pytest.mark.parametrize("content_type", [CSV, JSON_LINES])
@pytest.mark.parametrize("case", MIXED, ids=NAMES.get)
def test_texts_and_stars_play_one_game(with_stars, case, content_type):
    scores, invoke = with_stars
    response = invoke(NAMES[case], MIXED[case], content_type)
    check(response, scores, MIXED[case], [ABSENT, 3])
