"""Runs multi-model-server with a logistic regression on 20 features until standard input ends; prints what a client needs:
the URL, a record and a baseline row, each on a line of its own."""

import os
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2] / "tests" / "clients"
sys.path[:0] = [str(TESTS), str(TESTS / "multi_model_server")]

from model_server import model_server, save  # noqa: E402
from models import fit, rows  # noqa: E402

N_FEATURES = 20

# The server logs to standard output, which is for the client here.
out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

with tempfile.TemporaryDirectory() as folder, model_server(save(fit(N_FEATURES), Path(folder, "model"))) as port:
    print(f"http://127.0.0.1:{port}", file=out)
    for row in rows(N_FEATURES, 20, 200):
        print(",".join(map(str, row)), file=out)
    out.flush()
    sys.stdin.read()
