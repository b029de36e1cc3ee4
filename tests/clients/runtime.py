"""boto3's client of the data plane, for one server."""

import csv
import io
import json
from fractions import Fraction

import boto3
from botocore.config import Config

CSV, JSON_LINES = "text/csv", "application/jsonlines"

# How the model servers of these tests read and write JSON Lines.
JSON_RECORDS = {
    "FeaturesAttribute": "features",
    "ContentTemplate": '{"features":$features}',
    "ProbabilityAttribute": "score",
}


def runtime(url, **config):
    return boto3.client(
        "sagemaker-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(**config),
    )


def headers(response):
    return response["ResponseMetadata"]["HTTPHeaders"]


def written(records, content_type):
    """Records as a client sends them."""
    if content_type == CSV:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(records)
        return text.getvalue().removesuffix("\n")
    return "\n".join(json.dumps({"features": record}) for record in records)


def explained(response):
    """The document, every number as the fraction that its text spells."""
    return json.loads(response["Body"].read(), parse_float=Fraction)


def attributions(document):
    """[n_records][n_features][n_outputs]"""
    records = document["explanations"]["kernel_shap"]
    return [[feature["attributions"][0]["attribution"] for feature in record] for record in records]


def units(feature):
    """[n_units] of (partial text, start) of a text."""
    descriptions = [unit["description"] for unit in feature["attributions"]]
    return [(description["partial_text"], description["start_idx"]) for description in descriptions]
