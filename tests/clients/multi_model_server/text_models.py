"""Classifiers of reviews in English and Spanish: logistic regressions on tf-idf, alone or with the number of stars."""

import random

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from texts import reviews

PRAISE = [
    "¡Qué buena comida! El servicio fue excelente y muy amable.",
    "El teléfono es muy bueno y la batería dura todo el día.",
    "Una película preciosa, con un final excelente.",
    "Me encanta este libro. Lo recomiendo mucho.",
    "La habitación era bonita, limpia y tranquila.",
    "Buen precio y muy buena calidad.",
    "Los camareros fueron amables y la sopa estaba rica.",
    "Funciona perfectamente desde el primer día.",
    "Un lugar bonito, volveremos pronto.",
    "Excelente sonido y fácil de usar.",
]
BLAME = [
    "¡Qué mala comida! El servicio fue lento y nada amable.",
    "El teléfono es malo y la batería no dura nada.",
    "Una película aburrida, con un final horrible.",
    "No me gusta este libro. No lo recomiendo.",
    "La habitación era fea, sucia y ruidosa.",
    "Precio alto y muy mala calidad.",
    "El camarero fue grosero y la sopa estaba fría.",
    "No funciona desde el primer día.",
    "Un lugar horrible, no volveremos nunca.",
    "Pésimo sonido y difícil de usar.",
]
# The Spanish reviews are few.
REPEATED = 20


def labelled():
    """(text, whether it praises)"""
    spanish = [(text, True) for text in PRAISE] + [(text, False) for text in BLAME]
    return reviews() + spanish * REPEATED


def fit(with_stars):
    """A model of rows [text] or [text, stars]."""
    dice = random.Random(0)
    rows, classes = [], []
    for text, praises in labelled():
        stars = dice.choice([3, 4, 5] if praises else [1, 2, 3])
        rows.append([text, stars] if with_stars else [text])
        classes.append(praises)
    columns = [(TfidfVectorizer(), 0)] + ([(StandardScaler(), [1])] if with_stars else [])
    return make_pipeline(make_column_transformer(*columns), LogisticRegression()).fit(cells(rows), classes)


def cells(rows):
    return np.array(rows, dtype=object)


def scores(model):
    """The probabilities that the server answers for rows."""
    return lambda rows: model.predict_proba(cells(rows))[:, 1].tolist()
