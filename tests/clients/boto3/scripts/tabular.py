"""Explains a classifier of loans online: creates all that an endpoint needs, asks it and deletes it again."""

import json

import boto3

sagemaker_client = boto3.client("sagemaker")
runtime_client = boto3.client("sagemaker-runtime")

ROLE_ARN = "arn:aws:iam::111122223333:role/service-role/SageMakerExecution"
XGBOOST_IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
MODEL_NAME = "Loans-Model"
CONFIG_NAME = "Loans-Endpoint-Config"
ENDPOINT_NAME = "Loans-Endpoint"
HEADERS = ["Age", "Income", "Debt", "Years employed", "Accounts"]

sagemaker_client.create_model(
    ModelName=MODEL_NAME,
    PrimaryContainer={"Image": XGBOOST_IMAGE, "ModelDataUrl": "s3://team-models/loans/model.tar.gz"},
    ExecutionRoleArn=ROLE_ARN,
)

sagemaker_client.create_endpoint_config(
    EndpointConfigName=CONFIG_NAME,
    ProductionVariants=[
        {
            "VariantName": "AllTraffic",
            "ModelName": MODEL_NAME,
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.xlarge",
        }
    ],
    ExplainerConfig={
        "ClarifyExplainerConfig": {
            "EnableExplanations": "[0]>`0.4`",
            "InferenceConfig": {"FeatureHeaders": HEADERS, "LabelHeaders": ["default"]},
            "ShapConfig": {
                "ShapBaselineConfig": {
                    "MimeType": "text/csv",
                    "ShapBaselineUri": "s3://team-models/loans/baseline.csv",
                },
                "UseLogit": True,
                "Seed": 123,
            },
        }
    },
)

sagemaker_client.create_endpoint(EndpointName=ENDPOINT_NAME, EndpointConfigName=CONFIG_NAME)
sagemaker_client.get_waiter("endpoint_in_service").wait(EndpointName=ENDPOINT_NAME)
print(sagemaker_client.describe_endpoint(EndpointName=ENDPOINT_NAME)["EndpointStatus"])

for expression in (None, "`true`", "`false`"):
    options = {"EnableExplanations": expression} if expression else {}
    response = runtime_client.invoke_endpoint(
        EndpointName=ENDPOINT_NAME,
        ContentType="text/csv",
        Accept="text/csv",
        Body="37,45000,1400,9,4\n49,41000,9000,2,3",
        **options,
    )
    print(json.dumps(json.loads(response["Body"].read())))

sagemaker_client.delete_endpoint(EndpointName=ENDPOINT_NAME)
sagemaker_client.get_waiter("endpoint_deleted").wait(EndpointName=ENDPOINT_NAME)
sagemaker_client.delete_endpoint_config(EndpointConfigName=CONFIG_NAME)
sagemaker_client.delete_model(ModelName=MODEL_NAME)
