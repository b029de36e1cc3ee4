"""Explains the sentiment of reviews online, sentence by sentence."""

import json

import boto3

sagemaker_client = boto3.client("sagemaker")
runtime_client = boto3.client("sagemaker-runtime")

ROLE_ARN = "arn:aws:iam::111122223333:role/service-role/SageMakerExecution"
IMAGE = (
    "763104351884.dkr.ecr.us-east-1.amazonaws.com/huggingface-pytorch-inference:"
    "1.7.1-transformers4.6.1-cpu-py36-ubuntu18.04"
)
NAME = "Reviews"

sagemaker_client.create_model(
    ModelName=NAME,
    PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://team-models/reviews/model.tar.gz"},
    ExecutionRoleArn=ROLE_ARN,
)

sagemaker_client.create_endpoint_config(
    EndpointConfigName=NAME,
    ProductionVariants=[
        {"VariantName": "AllTraffic", "ModelName": NAME, "InitialInstanceCount": 1, "InstanceType": "ml.m5.xlarge"}
    ],
    ExplainerConfig={
        "ClarifyExplainerConfig": {
            "InferenceConfig": {"FeatureTypes": ["text"]},
            "ShapConfig": {
                "ShapBaselineConfig": {"ShapBaseline": "<UNK>"},
                "TextConfig": {"Granularity": "sentence", "Language": "en"},
            },
        }
    },
)

sagemaker_client.create_endpoint(EndpointName=NAME, EndpointConfigName=NAME)
sagemaker_client.get_waiter("endpoint_in_service").wait(EndpointName=NAME)

response = runtime_client.invoke_endpoint(
    EndpointName=NAME,
    ContentType="text/csv",
    Accept="text/csv",
    Body='"Lovely fabric. The zip broke after a week."',
)
print(json.dumps(json.loads(response["Body"].read())))

sagemaker_client.delete_endpoint(EndpointName=NAME)
sagemaker_client.get_waiter("endpoint_deleted").wait(EndpointName=NAME)
sagemaker_client.delete_endpoint_config(EndpointConfigName=NAME)
sagemaker_client.delete_model(ModelName=NAME)
