"""Logistic regressions on the first features of a data set of scikit-learn, and its records."""

from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

DATA = load_breast_cancer()


def fit(n_features, strength=0.01):
    """`strength` is that of the coefficients: models of two strengths answer differently."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength))
    return model.fit(DATA.data[:, :n_features], DATA.target)


def rows(n_features, *row_idxs):
    return DATA.data[list(row_idxs), :n_features].tolist()


def score(model):
    """The probability that the server answers for one row."""
    return lambda row: model.predict_proba([row])[0, 1]
