"""Endpoints of model files as their own libraries write them, rows that are hard on their splits, and what is compared."""

import numpy as np
import shap


def csv(rows):
    """Shortest float32 spelling; gaps spelled in both ways."""
    cells = [["" if cell == "nan" else cell for cell in map(str, row)] for row in np.asarray(rows, np.float32)]
    return "\n".join(",".join(cell or ("", "nan")[i % 2] for cell in row) for i, row in enumerate(cells))


def with_gaps(x, share=0.1):
    rng = np.random.default_rng(1)
    return np.where(rng.random(x.shape) < share, np.float32("nan"), x.astype(np.float32))


def with_ties(rows, splits):
    """The rows, each with one cell set to the threshold of some split `(feature, threshold)` on its feature."""
    rows = np.array(rows, np.float32)
    for i in range(len(rows) if splits else 0):
        feature, threshold = splits[i * len(splits) // len(rows)]
        rows[i, feature] = threshold
    return rows


def plain(write_definition, name, model, n_features):
    """An endpoint that explains nothing."""
    shap_config = {"ShapBaselineConfig": {"ShapBaseline": csv(np.zeros((1, n_features)))}}
    explainer = {"ShapConfig": shap_config, "EnableExplanations": "`false`"}
    return write_definition(name, {"ModelDataUrl": str(model), "Mode": "SingleModel"}, explainer)


def explained(write_definition, name, model, baseline):
    shap_config = {"ShapBaselineConfig": {"ShapBaseline": csv(baseline)}, "UseLogit": False}
    return write_definition(
        name, {"ModelDataUrl": str(model), "Mode": "SingleModel"}, {"ShapConfig": shap_config}
    )


def check_predictions(server, name, rows, expected, bound=1e-6):
    """Scores over HTTP are those of the library."""
    answer = server.invoke(name, csv(rows))
    assert answer.document["explanations"] == {}
    expected = np.asarray(expected, float).reshape(len(rows), -1)
    np.testing.assert_allclose(answer.scores, expected, rtol=bound, atol=bound)


def check_attributions(server, name, records, predict, baseline):
    """All coalitions listed, against the shap package, to 1e-5 of the largest attribution or of 1."""
    found = np.array(server.invoke(name, csv(records)).attributions)
    explainer = shap.KernelExplainer(predict, baseline)
    shares = explainer.shap_values(records, nsamples=2 ** records.shape[1], l1_reg=False, silent=True)
    shares = np.asarray(shares).reshape(found.shape)
    assert np.abs(shares).max() > 1e-3
    np.testing.assert_allclose(found, shares, rtol=0, atol=1e-5 * max(1.0, np.abs(shares).max()))
