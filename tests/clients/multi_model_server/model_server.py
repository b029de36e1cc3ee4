"""multi-model-server with models of scikit-learn in its folders, started and ended."""

import contextlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

import joblib

from containers import free_port, running

# Both surfaces on one port, as SageMaker has them. With the root as store, models are named by absolute paths.
SETTINGS = """
inference_address=http://127.0.0.1:{port}
management_address=http://127.0.0.1:{port}
model_store=/
decode_input_request=false
default_workers_per_model=1
vmargs=-Xmx256m
"""


def save(model, folder):
    """Writes the folder that multi-model-server loads."""
    (folder / "MAR-INF").mkdir(parents=True)
    manifest = {"runtime": "python", "model": {"modelName": folder.name, "handler": "service.py:handle"}}
    (folder / "MAR-INF" / "MANIFEST.json").write_text(json.dumps(manifest))
    shutil.copy(Path(__file__).with_name("service.py"), folder)
    joblib.dump(model, folder / "model.joblib")
    return folder


@contextlib.contextmanager
def model_server(*folders, seats=None, **settings):
    """Yields the port of a server that holds these models, and leaves nothing behind."""
    port = free_port()
    # Sockets and the file that says which server runs lie in the temporary folder, and paths of sockets are short.
    with tempfile.TemporaryDirectory() as folder:
        lines = [SETTINGS.format(port=port), *(f"{name}={value}\n" for name, value in settings.items())]
        Path(folder, "config.properties").write_text("".join(lines))
        command = [str(Path(sys.executable).with_name("multi-model-server")), "--start", "--foreground"]
        command += ["--mms-config", "config.properties", "--model-store", "/"]
        if folders:
            command += ["--models", *(f"{path.name}={path}" for path in folders)]
        environment = {"TMPDIR": folder, "TEMP": folder}
        if seats:
            environment["SEATS"] = str(seats)
        with running(command, port, folder, environment):
            yield port
