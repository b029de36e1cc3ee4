"""The resources of sagemaker-core, with which version 3 of the SDK speaks, find the server by AWS's variables."""

import json
from datetime import datetime

import pytest
from aws_variables import ROLE, XGBOOST, arn, aws_variables
from botocore.exceptions import ClientError
from model_archive import booster, packed
from sagemaker.core.resources import Endpoint, EndpointConfig, Model, Tag
from sagemaker.core.shapes import (
    ClarifyExplainerConfig,
    ClarifyInferenceConfig,
    ClarifyShapBaselineConfig,
    ClarifyShapConfig,
    ContainerDefinition,
    DesiredWeightAndCapacity,
    ExplainerConfig,
    ProductionVariant,
)
from sagemaker.core.shapes import Tag as TagShape
from sagemaker.core.utils.exceptions import FailedStatusError
from sagemaker.core.utils.utils import SageMakerClient

CSV = "text/csv"
RECORD = "1,2,3,4,5"
WAIT = {"poll": 1, "timeout": 60}


@pytest.fixture(scope="module", autouse=True)
def variables(serve_api):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws_variables(serve_api().url).items():
            patch.setenv(name, value)
        SageMakerClient.reset()
        yield
        SageMakerClient.reset()


@pytest.fixture(scope="module")
def model(variables, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.tar.gz"
    path.write_bytes(packed(booster(5)))
    container = ContainerDefinition(image=XGBOOST, model_data_url=str(path))
    return Model.create("trees", primary_container=container, execution_role_arn=ROLE)


def explainer(baseline="0,0,0,0,0"):
    shap = ClarifyShapConfig(shap_baseline_config=ClarifyShapBaselineConfig(mime_type=CSV, shap_baseline=baseline))
    inference = ClarifyInferenceConfig(feature_headers=list("abcde"), label_headers=["default"])
    clarify = ClarifyExplainerConfig(shap_config=shap, enable_explanations="`true`", inference_config=inference)
    return ExplainerConfig(clarify_explainer_config=clarify)


def variant(name="AllTraffic", weight=1.0):
    return ProductionVariant(
        variant_name=name,
        model_name="trees",
        instance_type="ml.m5.large",
        initial_instance_count=1,
        initial_variant_weight=weight,
    )


def create(name, variants=None, **options):
    EndpointConfig.create(name, production_variants=variants or [variant()], explainer_config=explainer(), **options)
    endpoint = Endpoint.create(name, name)
    endpoint.wait_for_status("InService", **WAIT)
    return endpoint


def document(output):
    return json.loads(output.body.read())


def delete(endpoint):
    endpoint.delete()
    endpoint.wait_for_delete(**WAIT)


def test_an_endpoint_from_its_creation_to_its_end(model):
    endpoint = create("Whole", tags=[TagShape(key="team", value="risk")])
    assert (endpoint.endpoint_status, endpoint.endpoint_arn) == ("InService", arn("endpoint", "Whole"))
    assert isinstance(endpoint.creation_time, datetime) and endpoint.creation_time.tzinfo
    config = EndpointConfig.get("Whole")
    assert config.explainer_config == endpoint.explainer_config == explainer()
    assert config.production_variants[0].model_name == "trees"
    (tag,) = Tag.get_all(resource_arn=config.endpoint_config_arn)
    assert (tag.key, tag.value) == ("team", "risk")

    explained = endpoint.invoke(RECORD, content_type=CSV, accept=CSV, inference_id="1")
    assert explained.content_type == "application/json"
    assert explained.invoked_production_variant == "AllTraffic"
    answer = document(explained)
    assert answer["label_headers"] == ["default"]
    assert [feature["feature_header"] for feature in answer["explanations"]["kernel_shap"][0]] == list("abcde")
    quiet = document(endpoint.invoke(RECORD, content_type=CSV, accept=CSV, enable_explanations="`false`"))
    assert quiet == answer | {"explanations": {}}

    delete(endpoint)
    config.delete()
    for get in (lambda: Endpoint.get("Whole"), lambda: EndpointConfig.get("Whole")):
        with pytest.raises(ClientError, match="ValidationException.*Could not find endpoint"):
            get()


def test_everything_is_listed_page_by_page(model):
    names = [f"listed-{i:02}" for i in range(12)]
    for name in names:
        EndpointConfig.create(name, production_variants=[variant()])
        Endpoint.create(name, name)
    ordered = {"sort_by": "Name", "sort_order": "Ascending", "name_contains": "listed"}
    configs, endpoints = list(EndpointConfig.get_all(**ordered)), list(Endpoint.get_all(**ordered))
    assert [config.endpoint_config_name for config in configs] == names
    assert [endpoint.endpoint_name for endpoint in endpoints] == names
    assert [found.model_name for found in Model.get_all()] == ["trees"]
    assert list(Endpoint.get_all(name_contains="nothing")) == []
    for endpoint in endpoints:
        endpoint.wait_for_status("InService", **WAIT)
        endpoint.delete()
    for config in configs:
        config.delete()


def test_an_endpoint_is_updated(model):
    # A weight of 0 would not be sent: the library leaves out what is false in Python.
    endpoint = create("moved", [variant("A", 3.0), variant("B", 1.0)])
    asked = [endpoint.invoke(RECORD, content_type=CSV).invoked_production_variant for _ in range(40)]
    assert abs(asked.count("A") - 30) <= 2
    assert endpoint.invoke(RECORD, content_type=CSV, target_variant="B").invoked_production_variant == "B"
    weights = [DesiredWeightAndCapacity(variant_name=name, desired_weight=w) for name, w in (("A", 0.5), ("B", 2.0))]
    endpoint.update_weights_and_capacities(weights)
    endpoint.wait_for_status("InService", **WAIT)
    assert [(v.variant_name, v.current_weight) for v in endpoint.production_variants] == [("A", 0.5), ("B", 2.0)]

    EndpointConfig.create("moved-on", production_variants=[variant("C")], explainer_config=explainer("1,1,1,1,1"))
    endpoint.endpoint_config_name = "moved-on"
    endpoint.update()
    endpoint.wait_for_status("InService", **WAIT)
    assert endpoint.endpoint_config_name == "moved-on"
    assert endpoint.explainer_config == explainer("1,1,1,1,1")
    assert endpoint.invoke(RECORD, content_type=CSV).invoked_production_variant == "C"
    delete(endpoint)


def test_an_endpoint_that_cannot_serve_says_why(model):
    EndpointConfig.create("narrow", production_variants=[variant()], explainer_config=explainer("0,0"))
    endpoint = Endpoint.create("narrow", "narrow")
    with pytest.raises(FailedStatusError, match="ShapBaseline"):
        endpoint.wait_for_status("InService", **WAIT)
    delete(endpoint)


def test_a_request_that_breaks_a_limit_is_told_the_member(model):
    with pytest.raises(ClientError, match="ValidationException.*endpointConfigName"):
        EndpointConfig.create("no_underscores", production_variants=[variant()])
    endpoint = create("limits")
    with pytest.raises(ClientError, match="ValidationError"):
        endpoint.invoke(RECORD, content_type=CSV, enable_explanations="x" * 65)
    with pytest.raises(ClientError, match="ModelError"):
        endpoint.invoke("1,2", content_type=CSV)
    delete(endpoint)
