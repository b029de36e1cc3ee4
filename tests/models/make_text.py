"""Makes the models over texts in this folder, with scikit-learn==1.9.1, skl2onnx==1.20.0 and onnxruntime==1.31.1:

text-NAME.model.onnx    as skl2onnx wrote it
text-NAME.rows.csv      records as a client sends them
text-NAME.scores.csv    onnxruntime's probabilities of these rows, each asked alone; of two classes the second
"""

import csv
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
from onnxruntime import InferenceSession
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

HERE = Path(__file__).parent

TEXTS = [
    "Free money now! It's free.",
    "Hello, see you at the meeting",
    "You win a prize: claim the money now",
    "Lunch at noon with the team?",
    "Claim your free prize now, now, NOW",
    "The report of the meeting, see below",
    "Win money! Free, free, free",
    "Thanks for lunch, see you",
]
SPAM = np.array([1, 0, 1, 0, 1, 0, 1, 0])
TABLE = pd.DataFrame({"age": np.arange(8, dtype=np.float32) * 4 + 20, "text": TEXTS, "from": TEXTS[::-1]})
ROWS = [*TEXTS[:4], "", "Größe: FREE prize? «now»", "nothing known"]


def settings(model):
    """The model for a machine that knows no locale but that of C."""
    for node in model.graph.node:
        if node.op_type == "StringNormalizer":
            node.attribute.append(onnx.helper.make_attribute("locale", "C.UTF-8"))
    return model.SerializeToString()


def write(name, pipeline, table, target, types, rows):
    model = convert_sklearn(pipeline.fit(table, target), initial_types=types, options={"zipmap": False})
    (HERE / f"text-{name}.model.onnx").write_bytes(model.SerializeToString())
    session = InferenceSession(settings(model), providers=["CPUExecutionProvider"])
    inputs = [{name: rows[[name]].to_numpy()[i : i + 1] for name in rows} for i in range(len(rows))]
    scores = [session.run(["probabilities"], alone)[0][0] for alone in inputs]
    scores = [row[1:] if len(row) == 2 else row for row in scores]
    with open(HERE / f"text-{name}.rows.csv", "w", newline="") as file:
        csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerows(rows.itertuples(index=False))
    lines = [",".join(str(np.float32(score)) for score in row) for row in scores]
    (HERE / f"text-{name}.scores.csv").write_text("\n".join(lines) + "\n")


words = TfidfVectorizer(ngram_range=(1, 2), max_features=24)
text = StringTensorType([None, 1])
pipeline = make_pipeline(words, LogisticRegression(C=20))
write("spam", pipeline, TEXTS, SPAM, [("text", text)], pd.DataFrame({"text": ROWS}))
steps = [
    ("text", TfidfVectorizer(sublinear_tf=True, norm="l1", max_features=12), "text"),
    ("age", "passthrough", ["age"]),
    ("from", CountVectorizer(binary=True, lowercase=False, max_features=8), "from"),
]
types = [("age", FloatTensorType([None, 1])), ("text", text), ("from", text)]
pipeline = make_pipeline(ColumnTransformer(steps), LogisticRegression(max_iter=2000))
write("table", pipeline, TABLE, SPAM + (np.arange(8) % 3 == 0), types, TABLE)
