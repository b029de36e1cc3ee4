"""Units of a running server against those of spaCy: the share of texts that both cut alike."""

import csv
import io

import oracle
import pytest
import texts
from conftest import Reply

N_REVIEWS, N_MAILS = 1200, 800
RECORDS_MAX = 50
# Units do not depend on it; attributions are not looked at.
N_SAMPLES = 10
# The share of a language's texts that must have the same units; below it are those that docs/compatibility.md names.
LEAST = 0.98
LEAST_OF = {
    ("en", "token"): 0.99,
    ("fa", "token"): 0.92,
    ("gu", "sentence"): 0.89,
    ("gu", "token"): 0.45,
    ("id", "token"): 0.77,
    ("ml", "sentence"): 0.94,
    ("ml", "token"): 0.79,
    ("tt", "token"): 0.92,
}


def written(records):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([record] for record in records)
    return text.getvalue()


def half(asked):
    """A model that finds every text as likely as not."""
    return Reply("0.5\n" * len(list(csv.reader(io.StringIO(asked.body)))))


@pytest.fixture(scope="module")
def server(serve, stub, write_definition):
    container = {"Image": stub(half).url}
    return serve(
        *(
            write_definition(f"{language}-{granularity}", container, explainer(language, granularity))
            for language in texts.DECLARATIONS
            for granularity in oracle.CUTS
        )
    )


def explainer(language, granularity):
    return {
        "InferenceConfig": {"FeatureTypes": ["text"], "MaxRecordCount": RECORDS_MAX},
        "ShapConfig": {
            "ShapBaselineConfig": {"ShapBaseline": '"<MASK>"'},
            "TextConfig": {"Language": language, "Granularity": granularity},
            "NumberOfSamples": N_SAMPLES,
        },
    }


def cut(server, records, endpoint):
    """[n_records][n_units] of (partial text, start)."""
    document = server.invoke(endpoint, written(records).encode()).document
    descriptions = [
        [attribution["description"] for attribution in record[0]["attributions"]]
        for record in document["explanations"]["kernel_shap"]
    ]
    return [[(unit["partial_text"], unit["start_idx"]) for unit in record] for record in descriptions]


def texts_of(language):
    if language == "en":
        return [text for text, _ in texts.reviews(N_REVIEWS)] + texts.mails(N_MAILS)
    return texts.declaration(language)


@pytest.mark.parametrize("granularity", oracle.CUTS)
@pytest.mark.parametrize("language", texts.DECLARATIONS)
def test_units_are_those_of_spacy(server, capsys, language, granularity):
    records = texts_of(language)
    chunks = [records[start : start + RECORDS_MAX] for start in range(0, len(records), RECORDS_MAX)]
    ours = [units for chunk in chunks for units in cut(server, chunk, f"{language}-{granularity}")]
    theirs = oracle.units(records, language, granularity)
    n_equal = sum(our == their for our, their in zip(ours, theirs, strict=True))
    with capsys.disabled():
        print(f"\n{language}: {n_equal} of {len(records)} texts have the same units ({granularity})")
    assert n_equal >= LEAST_OF.get((language, granularity), LEAST) * len(records)
