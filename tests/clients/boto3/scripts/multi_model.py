"""Explains prices of houses online, with one model for each city behind one endpoint."""

import json

import boto3

sagemaker_client = boto3.client("sagemaker")
runtime_client = boto3.client("sagemaker-runtime")

ROLE_ARN = "arn:aws:iam::111122223333:role/service-role/SageMakerExecution"
XGBOOST_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.5-1"
NAME = "Houses-Multi-Model"
HEADERS = ["YEAR_BUILT", "SQUARE_FEET", "NUM_BEDROOMS", "NUM_BATHROOMS", "LOT_ACRES", "GARAGE_SPACES"]

sagemaker_client.create_model(
    ModelName=NAME,
    ExecutionRoleArn=ROLE_ARN,
    Containers=[{"Image": XGBOOST_IMAGE, "ModelDataUrl": "s3://team-models/houses/", "Mode": "MultiModel"}],
)

sagemaker_client.create_endpoint_config(
    EndpointConfigName=NAME,
    ProductionVariants=[
        {"VariantName": "AllTraffic", "ModelName": NAME, "InitialInstanceCount": 1, "InstanceType": "ml.m5.xlarge"}
    ],
    ExplainerConfig={
        "ClarifyExplainerConfig": {
            "InferenceConfig": {"FeatureHeaders": HEADERS},
            "ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": "1995,3000,4,2,1,2"}},
        }
    },
)

sagemaker_client.create_endpoint(EndpointName=NAME, EndpointConfigName=NAME)
sagemaker_client.get_waiter("endpoint_in_service").wait(EndpointName=NAME)

for city in ("Chicago_IL", "Houston_TX"):
    response = runtime_client.invoke_endpoint(
        EndpointName=NAME,
        TargetModel=f"{city}.tar.gz",
        ContentType="text/csv",
        Accept="text/csv",
        Body="2010,2100,3,2,0.4,1",
    )
    print(json.dumps(json.loads(response["Body"].read())))

try:
    runtime_client.invoke_endpoint(EndpointName=NAME, TargetModel="Nowhere.tar.gz", ContentType="text/csv", Body="1")
except runtime_client.exceptions.ValidationError as error:
    print(json.dumps(str(error)))

sagemaker_client.delete_endpoint(EndpointName=NAME)
sagemaker_client.get_waiter("endpoint_deleted").wait(EndpointName=NAME)
sagemaker_client.delete_endpoint_config(EndpointConfigName=NAME)
sagemaker_client.delete_model(ModelName=NAME)
