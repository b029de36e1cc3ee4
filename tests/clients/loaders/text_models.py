"""Models over texts of every kind that skl2onnx writes and that are loaded, each with rows to ask."""

import csv
import io
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import onnx
import pandas as pd
from onnxruntime import InferenceSession
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler

N_TEXTS, N_ROWS = 200, 40


@dataclass
class Case:
    model: Any
    onnx: onnx.ModelProto
    rows: pd.DataFrame
    is_known: bool = True  # whether scikit-learn answers these rows as its export does
    known: dict = field(default_factory=dict)  # scores of rows

    def scores(self, rows):
        """[n_rows × n_outputs] of onnxruntime; of two classes the second alone."""
        return np.array([self.score(row) for row in rows.to_dict("records")])

    def score(self, row):
        """[n_outputs] of one row, which is asked alone, since texts beside each other are filled up with a token."""
        key = tuple(row.values())
        if key not in self.known:
            kinds = {name: object if isinstance(cell, str) else np.float32 for name, cell in row.items()}
            inputs = {name: np.array([[cell]], kinds[name]) for name, cell in row.items()}
            (answer,) = self.session.run([self.output], inputs)
            answer = list(answer[0].values()) if isinstance(answer, list) else np.asarray(answer).ravel()
            self.known[key] = one_of_two(np.array([answer]), self.model)[0]
        return self.known[key]

    @cached_property
    def session(self):
        return InferenceSession(anywhere(self.onnx).SerializeToString(), providers=["CPUExecutionProvider"])

    @cached_property
    def output(self):
        labels = ("tensor(int64)", "tensor(string)")
        return next(output.name for output in self.session.get_outputs() if output.type not in labels)

    def own(self):
        rows = self.rows.iloc[:, 0] if self.rows.shape[1] == 1 else self.rows
        is_classifier = hasattr(self.model, "predict_proba")
        answers = self.model.predict_proba(rows) if is_classifier else self.model.predict(rows)
        return one_of_two(np.asarray(answers).reshape(len(rows), -1), self.model)


def anywhere(model):
    """The same for a machine that knows no locale but that of C."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    for node in copy.graph.node:
        if node.op_type == "StringNormalizer":
            kept = [attribute for attribute in node.attribute if attribute.name != "locale"]
            del node.attribute[:]
            node.attribute.extend([*kept, onnx.helper.make_attribute("locale", "C.UTF-8")])
    return copy


def one_of_two(answers, model):
    is_binary = hasattr(model, "predict_proba") and answers.shape[1] == 2
    return answers[:, 1:] if is_binary else answers


def to_csv(rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerows(rows.itertuples(index=False))
    return text.getvalue()


WORDS = """free money now prize winner claim offer click you your meeting noon team lunch report see tomorrow project
    hello friend thanks really not good bad don't it's café über straße naïve ÉTÉ été 5 100 a_b x y z""".split()


def texts(seed, n=N_TEXTS):
    """Sentences of few words, with capitals, punctuation, blanks and letters that are not of ASCII."""
    rng = np.random.default_rng(seed)
    spell = [str, str.upper, str.title, str]
    ends = [" ", " ", ", ", ". ", "! ", "\n", "  "]

    def text():
        words = rng.choice(WORDS, rng.integers(1, 25))
        return "".join(spell[rng.integers(4)](word) + ends[rng.integers(7)] for word in words)

    return np.array([text() for _ in range(n)], dtype=object)


def signal(all_texts, words):
    return np.array([sum(word in text.lower() for word in words) for text in all_texts])


TEXTS = texts(1)
SPAM = (signal(TEXTS, ["free", "money", "prize", "claim"]) > 1).astype(int)
CLASSES = np.minimum(signal(TEXTS, ["meeting", "report", "free"]), 2)
ROWS = pd.DataFrame({"text": [*TEXTS[:N_ROWS], "", " ", "#", "unknown words only", "ÉTÉ İstanbul ΑΣ"]})
TABLE = pd.DataFrame(
    {
        "subject": texts(2),
        "age": np.random.default_rng(3).normal(40, 10, N_TEXTS).astype(np.float32),
        "body": TEXTS,
        "colour": np.random.default_rng(4).choice(["red", "green, dark", "blue"], N_TEXTS),
        "size": np.random.default_rng(5).integers(0, 9, N_TEXTS).astype(np.float32),
    }
)


def of_texts(vectorizer, final=None, target=SPAM, options=None, **settings):
    model = make_pipeline(vectorizer, final or LogisticRegression()).fit(TEXTS, target)
    types = [("text", StringTensorType([None, 1]))]
    return Case(model, convert_sklearn(model, initial_types=types, options=options), ROWS, **settings)


def of_table(steps, final=None, target=SPAM):
    model = make_pipeline(ColumnTransformer(steps), final or LogisticRegression(max_iter=500)).fit(TABLE, target)
    kinds = {"O": StringTensorType, "f": FloatTensorType}
    is_text = lambda name: "f" if TABLE[name].dtype.kind == "f" else "O"  # noqa: E731
    types = [(name, kinds[is_text(name)]([None, 1])) for name in TABLE]
    return Case(model, convert_sklearn(model, initial_types=types), TABLE[:N_ROWS], is_known=False)


# The export's words are those of ASCII: a word of scikit-learn with other letters is several words, or shorter.
ASCII = r"[a-zA-Z0-9_]+"


def words(**settings):
    return TfidfVectorizer(token_pattern=ASCII, **settings)


CASES = {
    "tfidf": lambda: of_texts(words()),
    "default": lambda: of_texts(TfidfVectorizer(), is_known=False),
    "cased": lambda: of_texts(words(lowercase=False)),
    "bigrams": lambda: of_texts(words(ngram_range=(1, 2))),
    "trigrams-only": lambda: of_texts(words(ngram_range=(3, 3))),
    "stop-words": lambda: of_texts(words(stop_words=["you", "it", "your"])),
    "max-features": lambda: of_texts(words(max_features=10)),
    "sublinear": lambda: of_texts(words(sublinear_tf=True), is_known=False),
    "l1": lambda: of_texts(words(norm="l1")),
    "no-norm": lambda: of_texts(words(norm=None)),
    "no-idf": lambda: of_texts(words(use_idf=False)),
    "binary": lambda: of_texts(words(binary=True)),
    "binary-counts": lambda: of_texts(words(binary=True, norm=None, use_idf=False)),
    "counts": lambda: of_texts(CountVectorizer(token_pattern=ASCII)),
    "counts-transformed": lambda: of_texts(
        make_pipeline(CountVectorizer(token_pattern=ASCII), TfidfTransformer())
    ),
    "two-letters": lambda: of_texts(TfidfVectorizer(token_pattern="[a-z][a-z]+")),
    "edges": lambda: of_texts(
        TfidfVectorizer(), options={TfidfVectorizer: {"tokenexp": r"\b\w\w+\b"}}, is_known=False
    ),
    "letters-of-unicode": lambda: of_texts(
        TfidfVectorizer(), options={TfidfVectorizer: {"tokenexp": r"[\pL\pN_]+"}}
    ),
    # scikit-learn takes several blanks for one.
    "characters": lambda: of_texts(TfidfVectorizer(analyzer="char", ngram_range=(1, 3)), is_known=False),
    "union": lambda: of_texts(make_union(words(), TfidfVectorizer(analyzer="char", lowercase=False)), is_known=False),
    "classes": lambda: of_texts(words(), target=CLASSES),
    "classes-without-zipmap": lambda: of_texts(words(), target=CLASSES, options={"zipmap": False}),
    "classes-in-words": lambda: of_texts(words(), target=np.array(["ham", "spam"])[SPAM]),
    "sgd": lambda: of_texts(words(), SGDClassifier(loss="log_loss", random_state=0)),
    "ridge": lambda: of_texts(words(), Ridge(), np.array([len(text) for text in TEXTS]) / 10),
    "linear": lambda: of_texts(words(max_features=5), LinearRegression(), SPAM * 3.5),
    "svd": lambda: of_texts(words(), make_pipeline(TruncatedSVD(5), LogisticRegression()), CLASSES),
    "table": lambda: of_table(
        [
            ("subject", words(), "subject"),
            ("body", CountVectorizer(token_pattern=ASCII, ngram_range=(1, 2), max_features=60), "body"),
            ("numbers", StandardScaler(), ["age", "size"]),
            ("colour", OneHotEncoder(handle_unknown="ignore"), ["colour"]),
        ]
    ),
    "table-classes": lambda: of_table(
        [("numbers", "passthrough", ["size"]), ("body", words(norm="l1"), "body")], target=CLASSES
    ),
}
