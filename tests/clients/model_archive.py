"""A model.tar.gz as SageMaker keeps what its XGBoost container trained."""

import io
import json
import tarfile

from conftest import ROOT

BINARY = ROOT / "tests/models/3.2-binary.model.json"
LEAF = -1


def booster(n_features, path=BINARY, units=()):
    """A model of five features that is told there are more. units: what stands for 0 and how much for 1, of the first
    features."""
    model = json.loads(path.read_text())
    model["learner"]["learner_model_param"]["num_feature"] = str(n_features)
    for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
        tree["split_conditions"] = [
            condition if child == LEAF else moved(condition, feature, units)
            for condition, feature, child in zip(
                tree["split_conditions"], tree["split_indices"], tree["left_children"], strict=True
            )
        ]
    return json.dumps(model).encode()


def moved(condition, feature, units):
    zero, one = units[feature] if feature < len(units) else (0, 1)
    return zero + one * condition


def packed(model):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("xgboost-model")
        member.size = len(model)
        tar.addfile(member, io.BytesIO(model))
    return archive.getvalue()
