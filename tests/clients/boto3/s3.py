"""S3 as moto plays it."""

from contextlib import contextmanager

import boto3
from moto.server import ThreadedMotoServer

SECRET = "top-secret"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1"}


@contextmanager
def bucket(name, objects):
    """A bucket with objects by key; gives the variables of a process that uses this S3."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    variables = CREDENTIALS | {"AWS_ENDPOINT_URL_S3": f"http://{host}:{port}"}
    client = boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL_S3"],
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key=SECRET,
    )
    client.create_bucket(Bucket=name)
    for key, body in objects.items():
        client.put_object(Bucket=name, Key=key, Body=body)
    try:
        yield variables
    finally:
        server.stop()
