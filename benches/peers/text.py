"""Explains texts with shap's Text masker, a request a line, on one thread, and says how long it took: JSON lines over standard
input and output. Argument: the ONNX file of a tf-idf and a logistic regression. It answers through onnxruntime, and as the
scikit-learn pipeline that is rebuilt from it."""

import json
import os
import sys
import time
from importlib.metadata import version

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
# What packages print is not for the reader of the lines.
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
import shap  # noqa: E402
from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402

PACKAGES = ["shap", "scikit-learn", "onnxruntime", "numpy"]
PATH = sys.argv[1]


def attributes(graph, operator):
    (node,) = [node for node in graph.node if node.op_type == operator]
    return {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute}


def words_of(graph):
    words = attributes(graph, "TfIdfVectorizer")
    columns = zip(words["pool_strings"], words["ngram_indexes"])
    return {word.decode(): column for word, column in columns}


def pipeline(graph):
    """The fitted pipeline that the file was made from."""
    pattern = attributes(graph, "Tokenizer")["tokenexp"].decode()
    idf = {tensor.name: tensor for tensor in graph.initializer}["idfcst"]
    vectorizer = TfidfVectorizer(vocabulary=words_of(graph), token_pattern=pattern)
    vectorizer.idf_ = onnx.numpy_helper.to_array(idf).ravel().astype(np.float64)
    linear, classifier = attributes(graph, "LinearClassifier"), LogisticRegression()
    classifier.classes_ = np.array(linear["classlabels_ints"])
    classifier.coef_ = np.array(linear["coefficients"]).reshape(2, -1)[1:]
    classifier.intercept_ = np.array(linear["intercepts"])[1:]
    return make_pipeline(vectorizer, classifier)


def session():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(PATH, options, providers=["CPUExecutionProvider"])


graph = onnx.load(PATH).graph
by_sklearn, by_onnx = pipeline(graph), session()
MODELS = {
    "scikit-learn": lambda texts: by_sklearn.predict_proba(texts)[:, 1],
    "onnxruntime": lambda texts: by_onnx.run(
        ["probabilities"], {"message": np.array(texts, dtype=object).reshape(-1, 1)}
    )[0][:, 1],
}
n_asked = 0


def score(name):
    def of_texts(texts):
        global n_asked
        n_asked += len(texts)
        return MODELS[name](texts)

    return of_texts


def explain(model, algorithm, texts, n_evaluations):
    """As many evaluations as are allowed; a unit is a word with the blanks after it, an absent one is a blank."""
    global n_asked
    masker = shap.maskers.Text(r"\W+", mask_token=" ", collapse_mask_token=False)
    if algorithm == "permutation":
        # With the masker's tree over the words permutations keep neighbours together and estimate Owen values too.
        masker.clustering = None
    n_asked, explainer = 0, shap.Explainer(score(model), masker, algorithm=algorithm)
    started = time.perf_counter()
    result = explainer(texts, max_evals=n_evaluations, batch_size=1000, silent=True)
    seconds = time.perf_counter() - started
    values = [np.asarray(own).ravel().tolist() for own in result.values]
    return {"seconds": seconds, "n_evaluations": n_asked / len(texts), "values": values}


versions = {package: version(package) for package in PACKAGES}
print(json.dumps({"versions": versions}), file=out, flush=True)
for request in map(json.loads, sys.stdin):
    print(json.dumps(explain(**request)), file=out, flush=True)
