"""boto3's client of the data plane, for one server."""

import boto3
from botocore.config import Config


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
