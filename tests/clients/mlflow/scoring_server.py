"""MLflow's scoring server with a model of scikit-learn, started and ended."""

import contextlib
import os
import sys
import tempfile
from pathlib import Path

from containers import free_port, running

# Set before mlflow is imported, which tells its makers of it otherwise.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
import mlflow

BIN = Path(sys.executable).parent


def save(model, folder, **options):
    """Only local environments are used, so that the model names no packages."""
    format = {"serialization_format": "cloudpickle", "pip_requirements": []}
    mlflow.sklearn.save_model(model, folder, **format, **options)
    return folder


@contextlib.contextmanager
def scoring_server(model_folder):
    """Yields the port."""
    port = free_port()
    command = [str(BIN / "mlflow"), "models", "serve", "--model-uri", str(model_folder), "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    # It finds uvicorn on the path.
    environment = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    with tempfile.TemporaryDirectory() as folder, running(command, port, folder, environment):
        yield port
