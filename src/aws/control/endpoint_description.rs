//! DescribeEndpoint: a record → the answer, as it was recorded.

use serde::Serialize;
use serde_json::Value;

use super::account::{Account, Kind};
use super::answer::answer;
use super::catalog::{Catalog, Endpoint, find};
use super::error::ControlError;
use super::input::Input;
use super::resources::{DeployedVariant, Deployment, Object};
use super::timestamp::{Seconds, Timestamp};

/// Of FailureReason in the service model.
const FAILURE_CHARS_MAX: usize = 1024;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Described<'a> {
    endpoint_name: &'a str,
    endpoint_arn: String,
    endpoint_config_name: &'a str,
    production_variants: Vec<DescribedVariant<'a>>,
    endpoint_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<String>,
    creation_time: Seconds,
    last_modified_time: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_deployment_config: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_deployment_summary: Option<Pending<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explainer_config: Option<&'a Object>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Pending<'a> {
    endpoint_config_name: &'a str,
    production_variants: Vec<DescribedVariant<'a>>,
    start_time: Seconds,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DescribedVariant<'a> {
    variant_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployed_images: Option<[Image<'a>; 1]>,
    current_weight: f64,
    desired_weight: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_instance_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    desired_instance_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_serverless_config: Option<&'a Value>,
}

/// An Image is not looked up: it resolves to itself.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Image<'a> {
    specified_image: &'a str,
    resolved_image: &'a str,
    resolution_time: Seconds,
}

pub fn describe(catalog: &Catalog, account: &Account, input: Input) -> Result<Vec<u8>, ControlError> {
    let record = find(&catalog.endpoints, account, Kind::Endpoint, input.text("EndpointName"))?;
    Ok(answer(&described(account, record)))
}

fn described<'a>(account: &Account, record: &'a Endpoint) -> Described<'a> {
    let deployment = &record.body.deployment;
    let failure_reason = record.body.failure_reason();
    Described {
        endpoint_name: &record.name,
        endpoint_arn: account.arn(Kind::Endpoint, &record.name),
        endpoint_config_name: &deployment.config_name,
        production_variants: variants(deployment),
        endpoint_status: record.body.status().word(),
        failure_reason: failure_reason.map(|reason| reason.chars().take(FAILURE_CHARS_MAX).collect()),
        creation_time: Seconds(record.created()),
        last_modified_time: Seconds(record.modified()),
        last_deployment_config: deployment.deployment_config.as_ref(),
        pending_deployment_summary: record.body.next.as_ref().map(pending),
        explainer_config: deployment.explainer_config.as_ref(),
    }
}

fn pending(next: &Deployment) -> Pending<'_> {
    Pending {
        endpoint_config_name: &next.config_name,
        production_variants: variants(next),
        start_time: Seconds(Timestamp(next.started_ms)),
    }
}

fn variants(deployment: &Deployment) -> Vec<DescribedVariant<'_>> {
    let resolved = Timestamp(deployment.started_ms);
    deployment.variants.iter().map(|variant| described_variant(variant, resolved)).collect()
}

fn described_variant(variant: &DeployedVariant, resolved: Timestamp) -> DescribedVariant<'_> {
    let image = Input(&variant.container).find_text("Image");
    let image = image.map(|image| {
        [Image { specified_image: image, resolved_image: image, resolution_time: Seconds(resolved) }]
    });
    DescribedVariant {
        variant_name: &variant.name,
        deployed_images: image,
        current_weight: variant.weight,
        desired_weight: variant.weight,
        current_instance_count: variant.instance_count,
        desired_instance_count: variant.instance_count,
        current_serverless_config: variant.serverless_config.as_ref(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::resources::{EndpointBody, Record, Status};
    use super::*;

    const RECORDED: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/recorded/control-plane.json"));

    fn object(value: &Value) -> Object {
        value.as_object().expect("is an object").clone()
    }

    fn ms(seconds: &Value) -> u64 {
        (seconds.as_f64().expect("is a number") * 1e3).round() as u64
    }

    fn text(value: &Value) -> &str {
        value.as_str().expect("is a text")
    }

    /// The record of which a recorded description tells.
    fn endpoint(described: &Value) -> Endpoint {
        let variant = &described["ProductionVariants"][0];
        let image = &variant["DeployedImages"][0];
        let deployed = DeployedVariant {
            name: text(&variant["VariantName"]).to_owned(),
            weight: 1.0,
            instance_count: Some(1),
            serverless_config: None,
            container: object(&json!({"Image": image["SpecifiedImage"]})),
        };
        let deployment = Deployment {
            config_name: text(&described["EndpointConfigName"]).to_owned(),
            started_ms: ms(&image["ResolutionTime"]),
            explainer_config: Some(object(&described["ExplainerConfig"])),
            variants: vec![deployed],
            deployment_config: None,
        };
        let status = Status::InService;
        let body = EndpointBody { status, failure_reason: None, deployment, next: None, closed_reason: None };
        let created = Timestamp(ms(&described["CreationTime"]));
        let modified_ms = ms(&described["LastModifiedTime"]);
        Record { modified_ms, ..Record::new(text(&described["EndpointName"]), created, Vec::new(), body) }
    }

    #[test]
    fn descriptions_have_their_recorded_members_and_lengths() {
        let account = Account { id: "000000000000".to_owned(), region: "us-west-2".to_owned() };
        let recorded: Value = serde_json::from_str(RECORDED).expect("is JSON");
        let cases = recorded["cases"].as_array().expect("is a list").iter();
        let described: Vec<&Value> = cases.filter(|case| case["operation"] == "DescribeEndpoint").collect();
        assert_eq!(described.len(), 3);
        for case in described {
            let body: Value = serde_json::from_str(text(&case["body"])).expect("is JSON");
            let record = endpoint(&body);
            let mut again = super::described(&account, &record);
            // The one thing that is not known here.
            let image = again.production_variants[0].deployed_images.as_mut().expect("has an image");
            image[0].resolved_image = text(&body["ProductionVariants"][0]["DeployedImages"][0]["ResolvedImage"]);
            let again = String::from_utf8(answer(&again)).expect("is UTF-8");
            assert_eq!(again.len() as u64, case["content_length"].as_u64().expect("is a number"), "{again}");
            assert_eq!(serde_json::from_str::<Value>(&again).expect("is JSON"), body);
        }
    }
}
