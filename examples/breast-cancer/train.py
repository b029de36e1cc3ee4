"""Trains the breast-cancer example and writes its endpoint beside this script.

Data: Breast Cancer Wisconsin (Diagnostic), UCI Machine Learning Repository, CC BY 4.0,
in the copy that scikit-learn carries. Same packages, same bytes: see ../requirements.txt.
"""

import json
from pathlib import Path

import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent
SHOWN_FIRST = 5  # clearly malignant, with reasons on both sides
N_RECORDS = 12

data = load_breast_cancer()
names = [str(name) for name in data.feature_names]
malignant = 1 - data.target  # scikit-learn's class 1 is "benign"; here the score is of "malignant"
x_train, x_test, y_train, y_test = train_test_split(
    data.data, malignant, test_size=0.3, random_state=2, stratify=malignant
)

parameters = {"objective": "binary:logistic", "max_depth": 3, "eta": 0.2, "nthread": 1}
model = xgboost.train(parameters, xgboost.DMatrix(x_train, y_train, feature_names=names), 60)
scores = model.predict(xgboost.DMatrix(x_test, feature_names=names))
print(f"held-out accuracy {((scores > 0.5) == y_test).mean():.3f} on {len(y_test)} records")

order = [SHOWN_FIRST] + [row for row in range(len(x_test)) if row != SHOWN_FIRST]
records = [",".join(map(repr, x_test[row].tolist())) for row in order[:N_RECORDS]]
baseline = ",".join(map(repr, x_train.mean(axis=0).tolist()))
endpoint = {
    "EndpointName": "breast-cancer",
    "PrimaryContainer": {"ModelDataUrl": "model.json", "Mode": "SingleModel"},
    "ExplainerConfig": {
        "ClarifyExplainerConfig": {
            "InferenceConfig": {"FeatureHeaders": names, "LabelHeaders": ["malignant"]},
            "ShapConfig": {
                "ShapBaselineConfig": {"MimeType": "text/csv", "ShapBaseline": baseline},
                "UseLogit": True,
            },
        }
    },
}

model.save_model(HERE / "model.json")
(HERE / "records.csv").write_text("\n".join(records) + "\n")
(HERE / "endpoint.json").write_text(json.dumps(endpoint, indent=2) + "\n")
