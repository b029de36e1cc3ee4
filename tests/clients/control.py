"""boto3's client of the control plane for one server, with the fewest words that make an endpoint."""

import boto3
from aws_variables import REGION, ROLE, XGBOOST
from botocore.config import Config
from conftest import ROOT
from runtime import CSV, runtime

MODEL = ROOT / "tests/models/3.2-binary.model.json"
N_FEATURES = 5
BASELINE = ",".join(["0"] * N_FEATURES)
RECORD = "1,2,3,4,5"
# The server answers for an endpoint that is being created when its creation ends; boto3 would look again after 30 s.
WAIT = {"Delay": 1, "MaxAttempts": 60}


def control(url, **config):
    return boto3.client(
        "sagemaker",
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(**config),
    )


def explainer(baseline=BASELINE, **members):
    shap = {"ShapBaselineConfig": {"MimeType": CSV, "ShapBaseline": baseline}}
    return {"ClarifyExplainerConfig": {"ShapConfig": shap} | members}


def variant(name="AllTraffic", model="trees", weight=1.0):
    return {
        "VariantName": name,
        "ModelName": model,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
        "InitialVariantWeight": weight,
    }


class Account:
    """What lives on one server, and both its clients."""

    def __init__(self, url, **config):
        self.url, self.control, self.runtime = url, control(url, **config), runtime(url, **config)

    def model(self, name="trees", path=MODEL, **container):
        container = {"Image": XGBOOST, "ModelDataUrl": str(path)} | container
        return self.control.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)

    def config(self, name, variants=None, explainer=None, **members):
        if explainer is not None:
            members["ExplainerConfig"] = explainer
        variants = variants or [variant()]
        return self.control.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants, **members)

    def endpoint(self, name, config=None, **members):
        return self.control.create_endpoint(EndpointName=name, EndpointConfigName=config or name, **members)

    def serve(self, name, variants=None, explainer=None, **members):
        """A config and an endpoint of it, in service."""
        self.config(name, variants, explainer, **members)
        self.endpoint(name)
        self.wait(name)

    def update(self, name, config, **members):
        self.control.update_endpoint(EndpointName=name, EndpointConfigName=config, **members)
        return self.wait(name)

    def wait(self, name):
        self.control.get_waiter("endpoint_in_service").wait(EndpointName=name, WaiterConfig=WAIT)
        return self.describe(name)

    def describe(self, name):
        return self.control.describe_endpoint(EndpointName=name)

    def delete(self, name):
        self.control.delete_endpoint(EndpointName=name)
        self.control.get_waiter("endpoint_deleted").wait(EndpointName=name, WaiterConfig=WAIT)

    def invoke(self, name, body=RECORD, **members):
        return self.runtime.invoke_endpoint(EndpointName=name, Body=body, ContentType=CSV, Accept=CSV, **members)
