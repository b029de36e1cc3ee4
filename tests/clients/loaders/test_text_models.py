"""Models over texts as skl2onnx writes them, over HTTP against onnxruntime on the same file, and scikit-learn."""

import json

import numpy as np
import pandas as pd
import pytest
from games import shapley, text_game
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession
from text_models import CASES, to_csv

BOUND = 1e-6  # float32
OWN_BOUND = 1e-5  # scikit-learn computes in float64


@pytest.fixture(scope="module")
def cases():
    return {name: make() for name, make in CASES.items()}


@pytest.fixture(scope="module")
def define_text(write_definition, tmp_path_factory):
    """An endpoint of a case whose texts play in units of this granularity, or whole."""

    def define_text(name, case, baseline, granularity=None, types=None, enable=None, **shap):
        model = tmp_path_factory.mktemp("model") / "model.onnx"
        model.write_bytes(case.onnx.SerializeToString())
        config = {"ShapBaselineConfig": {"ShapBaseline": baseline}, "UseLogit": False, **shap}
        if granularity:
            config["TextConfig"] = {"Granularity": granularity, "Language": "en"}
        explainer = {"ShapConfig": config}
        if types:
            explainer["InferenceConfig"] = {"FeatureTypes": types}
        if enable:
            explainer["EnableExplanations"] = enable
        return write_definition(name, {"ModelDataUrl": str(model), "Mode": "SingleModel"}, explainer)

    return define_text


@pytest.fixture(scope="module")
def server(serve, define_text, cases):
    baseline = lambda case: to_csv(case.rows[:1])  # noqa: E731
    return serve(*(define_text(name, case, baseline(case), enable="`false`") for name, case in cases.items()))


@pytest.mark.parametrize("name", CASES)
def test_predictions_equal_those_of_onnxruntime_and_of_scikit_learn(server, cases, name):
    case = cases[name]
    answer = server.invoke(name, to_csv(case.rows).encode())
    np.testing.assert_allclose(answer.scores, case.scores(case.rows), rtol=BOUND, atol=BOUND)
    if case.is_known:
        np.testing.assert_allclose(answer.scores, case.own(), rtol=OWN_BOUND, atol=OWN_BOUND)


EXPLAINED = ["tfidf", "bigrams", "sublinear", "l1", "counts", "characters", "union", "classes", "ridge"]
RECORDS = ["Free MONEY, now!", "it's a  meeting\nat noon", "Your prize: 5 x 100", "unknown words été", "free"]
BASELINES = {"empty": [""], "mask": ["the <MASK>"], "two": ["", "hello you"]}


@pytest.fixture(scope="module")
def explainers(serve, define_text, cases):
    definitions = [
        define_text(f"{name}-{kind}", cases[name], lines(baseline), "token")
        for name in EXPLAINED
        for kind, baseline in BASELINES.items()
    ]
    return serve(*definitions)


def lines(texts):
    return "\n".join(f'"{text}"' for text in texts)


def units(feature):
    """The (partial text, start) of a text that plays in units."""
    descriptions = [item["description"] for item in feature["attributions"]]
    return [(unit["partial_text"], unit["start_idx"]) for unit in descriptions]


def expected(case, record, cuts, baselines, output):
    """Shapley values by definition, the values by onnxruntime. Records are dictionaries of cells."""

    def scores(rows):
        return [float(case.score(dict(zip(record, row)))[output]) for row in rows]

    rows = [list(baseline.values()) for baseline in baselines]
    values = text_game(scores, list(record.values()), cuts, rows)
    return np.array([float(x) for x in shapley(values, len(next(iter(values))))])


@pytest.mark.parametrize("kind", BASELINES)
@pytest.mark.parametrize("name", EXPLAINED)
def test_attributions_of_tokens_are_shapley_values_of_the_game_that_onnxruntime_plays(explainers, cases, name, kind):
    case, baselines = cases[name], [{"text": text} for text in BASELINES[kind]]
    answer = explainers.invoke(f"{name}-{kind}", to_csv(case.rows.iloc[:5].assign(text=RECORDS)).encode())
    for text, (feature,) in zip(RECORDS, answer.document["explanations"]["kernel_shap"]):
        found = np.array([item["attribution"] for item in feature["attributions"]])
        assert "".join(unit for unit, _ in units(feature)) == "".join(text.split())
        for output in range(found.shape[1]):
            own = expected(case, {"text": text}, [units(feature)], baselines, output)
            np.testing.assert_allclose(found[:, output], own, rtol=0, atol=5e-6 * max(1, np.abs(own).max()))


TYPES = ["text", "numerical", "text", "categorical", "numerical"]
TABLE_ROWS = [
    {"subject": "Free money!", "age": 31.5, "body": "it's ÉTÉ", "colour": "red", "size": 3.0},
    {"subject": "your meeting", "age": 50.25, "body": "", "colour": "green, dark", "size": 0.0},
]
TABLE_BASELINE = [
    {"subject": "", "age": 40.0, "body": "hello, you", "colour": "blue", "size": 4.0},
    {"subject": "the <MASK>", "age": 41.0, "body": "", "colour": "red", "size": 4.0},
]


@pytest.fixture(scope="module")
def table_server(serve, define_text, cases):
    baseline = to_csv(pd.DataFrame(TABLE_BASELINE)).strip()
    of_case = lambda name: define_text(name, cases[name], baseline, "token", TYPES)  # noqa: E731
    return serve(of_case("table"), of_case("table-classes"))


@pytest.mark.parametrize("name", ["table", "table-classes"])
def test_texts_numbers_and_categories_play_one_game(table_server, cases, name):
    case, rows = cases[name], pd.DataFrame(TABLE_ROWS)
    answer = table_server.invoke(name, to_csv(rows).encode())
    for row, features in zip(TABLE_ROWS, answer.document["explanations"]["kernel_shap"]):
        found = np.array([item["attribution"] for feature in features for item in feature["attributions"]])
        cuts = [units(feature) if kind == "text" else None for kind, feature in zip(TYPES, features)]
        for output in range(found.shape[1]):
            own = expected(case, row, cuts, TABLE_BASELINE, output)
            np.testing.assert_allclose(found[:, output], own, rtol=0, atol=1e-5)


# Each with the fewest characters of a token. RE2 has words, digits, blanks and edges of ASCII, and longest matches.
SIGNS = [".", "..", "a|ab|abc", "a?(ab)?", "a+?", "(a|b)*", "[a&&b]+", "[[a]+", "[]a]", "(?i:é)", "^.+", r"\<[a-z]+\>", r"[\<a]+"]
CLASSES = [r"\w+", r"\W+", r"[^\d]+", r"\b\w\w+\b", r"\S+", r"[\pL\pN']+", r"\p{Lu}\pL*", r"\B[^a]", r"\s\w"]
RANGES = ["[[:alpha:]]+", "[a-z]+|[A-Z]+|[0-9]+"]
LONG = [r"[\pL]+", "ab|[b-d]+", r"\w*"]
EXPRESSIONS = [(expression, 1) for expression in SIGNS + CLASSES + RANGES] + [(expression, 3) for expression in LONG]
PADDING = "\x01"


def sliced():
    rng = np.random.default_rng(6)
    letters = list("aabbcdAB 12.'-é\n&[]<>É𐐀")
    return ["".join(rng.choice(letters, rng.integers(0, 25))) for _ in range(60)] + ["a<ab> <a b> <<c>>"]


def counting(expression, least, texts):
    """A model that adds up random weights of tokens, and its answers by onnxruntime's tokens."""
    settings = {"mark": 0, "pad_value": PADDING, "mincharnum": least, "tokenexp": expression}
    tokenizer = helper.make_node("Tokenizer", ["x"], ["t"], domain="com.microsoft", **settings)
    session = InferenceSession(model([tokenizer], [], "t", TensorProto.STRING).SerializeToString())
    cut = [[token for token in session.run(["t"], {"x": np.array([text], object)})[0].ravel()] for text in texts]
    pool = sorted({token for tokens in cut for token in tokens} | set("".join(texts)))
    weights = np.random.default_rng(7).integers(1, 1000, (len(pool), 1)).astype(np.float32)
    grams = {"mode": "TF", "min_gram_length": 1, "max_gram_length": 1, "max_skip_count": 0, "ngram_counts": [0]}
    grams |= {"pool_strings": pool, "ngram_indexes": list(range(len(pool)))}
    vectorizer = helper.make_node("TfIdfVectorizer", ["t"], ["n"], **grams)
    sums = helper.make_node("MatMul", ["n", "w"], ["y"])
    counted = model([tokenizer, vectorizer, sums], [numpy_helper.from_array(weights, "w")], "y", TensorProto.FLOAT)
    places = {token: place for place, token in enumerate(pool)}
    return counted, [sum(float(weights[places[token], 0]) for token in tokens) for tokens in cut]


def model(nodes, initializers, output, kind):
    inputs = [helper.make_tensor_value_info("x", TensorProto.STRING, [None])]
    outputs = [helper.make_tensor_value_info(output, kind, None)]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    graph = helper.make_graph(nodes, "made", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.fixture(scope="module")
def cutters(serve, write_definition, tmp_path_factory):
    """A server of all expressions, and what each model is to answer."""
    texts, folder = sliced(), tmp_path_factory.mktemp("cutters")
    counted = [counting(*expression, texts) for expression in EXPRESSIONS]
    for n, (made, _) in enumerate(counted):
        (folder / f"{n}.onnx").write_bytes(made.SerializeToString())
    container = {"ModelDataUrl": str(folder), "Mode": "MultiModel"}
    return serve(write_definition("cutters", container, None)), texts, [expected for _, expected in counted]


@pytest.mark.parametrize("n", range(len(EXPRESSIONS)), ids=[f"{e}-{least}" for e, least in EXPRESSIONS])
def test_tokens_are_those_of_onnxruntime(cutters, n):
    server, texts, expected = cutters
    headers = {"Content-Type": "application/jsonlines", "Accept": "text/csv"}
    headers["X-Amzn-SageMaker-Target-Model"] = f"{n}.onnx"
    body = "\n".join(json.dumps([text]) for text in texts)
    answer = server.request("POST", "/endpoints/cutters/invocations", body, headers)
    assert answer.status == 200, answer.body
    assert [float(line) for line in answer.body.decode().split("\n")] == expected[n]
