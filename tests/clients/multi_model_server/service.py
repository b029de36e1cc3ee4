"""What multi-model-server runs for a model of these tests: the SageMaker inference toolkit around a scikit-learn model.

A copy of this file lies in the folder of each model.
"""

import csv
import fcntl
import io
import json
import os

import joblib
import numpy as np
from sagemaker_inference.default_handler_service import DefaultHandlerService
from sagemaker_inference.default_inference_handler import DefaultInferenceHandler
from sagemaker_inference.transformer import Transformer

JSON_LINES = "application/jsonlines"


class Handler(DefaultInferenceHandler):
    """Records in text/csv or JSON Lines -> the probability of class 1, one line for each record."""

    def default_model_fn(self, model_dir, context=None):
        self.seat = take_seat()
        return joblib.load(os.path.join(model_dir, "model.joblib"))

    def default_input_fn(self, input_data, content_type, context=None):
        """Cells as they come: the model says which of them are numbers."""
        if content_type == JSON_LINES:
            rows = [json.loads(line)["features"] for line in input_data.decode().splitlines()]
        else:
            rows = list(csv.reader(io.StringIO(input_data, newline="")))
        return np.array(rows, dtype=object)

    def default_predict_fn(self, data, model, context=None):
        return model.predict_proba(data)[:, 1].tolist()

    def default_output_fn(self, prediction, accept, context=None):
        as_text = (lambda score: json.dumps({"score": score})) if accept == JSON_LINES else repr
        return "\n".join(map(as_text, prediction)), accept


def take_seat():
    """Plays a machine whose memory is full: a loaded model locks one of the files in SEATS until its process ends."""
    folder = os.environ.get("SEATS")
    if not folder:
        return None
    for name in sorted(os.listdir(folder)):
        seat = open(os.path.join(folder, name))
        try:
            fcntl.flock(seat, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return seat
        except BlockingIOError:
            seat.close()
    raise MemoryError("No seat is free.")


service = DefaultHandlerService(Transformer(Handler()))


def handle(data, context):
    """Without data it is to load the model."""
    if data is None:
        return service.initialize(context)
    return service.handle(data, context)
