"""SageMaker's model.tar.gz: the file inside answers as it does alone, and what cannot be read says what to do."""

import io
import pickle
import tarfile

import lightgbm
import numpy as np
import pytest
import xgboost
from conftest import refusal
from model_files import check_predictions, plain
from sklearn.datasets import load_breast_cancer
from xgboost import DMatrix

CANCER = load_breast_cancer()
X = CANCER.data.astype(np.float32)
SCRIPT = b"print('a script of inference')\n"


@pytest.fixture(scope="module")
def booster():
    return xgboost.train({"objective": "binary:logistic", "nthread": 1}, DMatrix(X, CANCER.target), 5)


@pytest.fixture(scope="module")
def gbm():
    parameters = {"objective": "binary", "num_threads": 1, "verbose": -1}
    return lightgbm.train(parameters, lightgbm.Dataset(X, CANCER.target), 5)


def packed(path, files):
    """Writes a model.tar.gz of files by name."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_the_model_inside_answers_as_it_does_alone(serve, write_definition, tmp_path, booster, gbm):
    archives = {
        "ubj": {"xgboost-model": bytes(booster.save_raw("ubj"))},
        "json": {"./xgboost-model": bytes(booster.save_raw("json")), "code/inference.py": SCRIPT},
        "gbm": {"models/model.txt": gbm.model_to_string().encode(), "README.md": b"a model"},
    }
    definitions = [
        plain(write_definition, name, packed(tmp_path / f"{name}.tar.gz", files), 30)
        for name, files in archives.items()
    ]
    server = serve(*definitions)
    check_predictions(server, "ubj", X[:50], booster.predict(DMatrix(X[:50])))
    check_predictions(server, "json", X[:50], booster.predict(DMatrix(X[:50])))
    check_predictions(server, "gbm", X[:50], gbm.predict(X[:50]))


def test_what_is_inside_and_cannot_be_read_is_named_with_what_to_do(write_definition, tmp_path, booster):
    json = bytes(booster.save_raw("json"))
    for files, told in [
        ({"xgboost-model": pickle.dumps(booster)}, "xgboost-model in the archive: this is a Python pickle"),
        ({"xgboost-model": b"binf\0"}, "xgboost-model in the archive: this is XGBoost's old binary format"),
        ({"a.json": json, "xgboost-model": json}, "several model files: a.json, xgboost-model; expected one"),
        ({"code/model.json": json}, "no model file (xgboost-model, *.json, *.ubj, *.txt, *.onnx)"),
        ({"model.json": json[: len(json) // 2]}, "model.json in the archive: damaged JSON"),
    ]:
        path = packed(tmp_path / "model.tar.gz", files)
        assert told in refusal(plain(write_definition, "refused", path, 30), {})


def test_an_archive_that_unpacks_to_more_than_a_model_file_may_have_is_refused(write_definition, tmp_path, booster):
    files = {"weights.bin": bytes(2 << 20), "xgboost-model": bytes(booster.save_raw("ubj"))}
    path = packed(tmp_path / "model.tar.gz", files)
    told = refusal(plain(write_definition, "bomb", path, 30), {"EXPLAIND_MODEL_MIB_MAX": "1"})
    assert "the archive unpacks to more than 1048576 bytes" in told
