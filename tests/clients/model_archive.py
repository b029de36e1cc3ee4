"""A model.tar.gz as SageMaker keeps what its XGBoost container trained."""

import io
import json
import tarfile

from conftest import ROOT

BINARY = ROOT / "tests/models/3.2-binary.model.json"


def booster(n_features, path=BINARY):
    """A model of five features that is told there are more."""
    model = json.loads(path.read_text())
    model["learner"]["learner_model_param"]["num_feature"] = str(n_features)
    return json.dumps(model).encode()


def packed(model):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("xgboost-model")
        member.size = len(model)
        tar.addfile(member, io.BytesIO(model))
    return archive.getvalue()
