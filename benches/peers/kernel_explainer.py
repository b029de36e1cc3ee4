"""Seconds that shap.KernelExplainer needs for one record when its model is a server: one request for each record's
coalitions, on one connection. Arguments: URL, record, baseline row, samples, repetitions. Prints a number a line."""

import http.client
import sys
import time
from urllib.parse import urlsplit

import numpy as np
import shap

url, record, baseline, n_samples, repetitions = sys.argv[1:]
connection = http.client.HTTPConnection(urlsplit(url).netloc)
record, baseline = (np.array([[float(cell) for cell in row.split(",")]]) for row in (record, baseline))


def score(rows):
    body = "\n".join(",".join(map(repr, row)) for row in np.asarray(rows).tolist())
    connection.request("POST", "/invocations", body, {"Content-Type": "text/csv", "Accept": "text/csv"})
    return np.array([float(line) for line in connection.getresponse().read().split()])


explainer = shap.KernelExplainer(score, baseline)
for _ in range(int(repetitions)):
    started = time.perf_counter()
    explainer.shap_values(record, nsamples=int(n_samples), silent=True, l1_reg=False)
    print(time.perf_counter() - started)
