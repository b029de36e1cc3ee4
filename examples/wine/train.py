"""Trains the wine example and writes its endpoint beside this script.

Data: Wine, UCI Machine Learning Repository, CC BY 4.0, in the copy that scikit-learn
carries. Same packages, same bytes: see ../requirements.txt.
"""

import json
from pathlib import Path

import xgboost
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

HERE = Path(__file__).parent
N_RECORDS = 12

data = load_wine()
names = list(data.feature_names)
x_train, x_test, y_train, y_test = train_test_split(
    data.data, data.target, test_size=0.3, random_state=0, stratify=data.target
)

parameters = {"objective": "multi:softprob", "num_class": 3, "max_depth": 3, "eta": 0.2, "nthread": 1}
model = xgboost.train(parameters, xgboost.DMatrix(x_train, y_train, feature_names=names), 20)
scores = model.predict(xgboost.DMatrix(x_test, feature_names=names))
print(f"held-out accuracy {(scores.argmax(axis=1) == y_test).mean():.3f} on {len(y_test)} records")

records = [",".join(map(repr, row)) for row in x_test[:N_RECORDS].tolist()]
baseline = ",".join(map(repr, x_train.mean(axis=0).tolist()))
endpoint = {
    "EndpointName": "wine",
    "PrimaryContainer": {"ModelDataUrl": "model.json", "Mode": "SingleModel"},
    "ExplainerConfig": {
        "ClarifyExplainerConfig": {
            "InferenceConfig": {
                "LabelHeaders": ["cultivar 1", "cultivar 2", "cultivar 3"],
                "FeatureHeaders": names,
            },
            "ShapConfig": {"ShapBaselineConfig": {"MimeType": "text/csv", "ShapBaseline": baseline}},
        }
    },
}

model.save_model(HERE / "model.json")
(HERE / "records.csv").write_text("\n".join(records) + "\n")
(HERE / "endpoint.json").write_text(json.dumps(endpoint, indent=2) + "\n")
