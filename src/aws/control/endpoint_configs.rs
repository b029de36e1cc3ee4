//! CreateEndpointConfig, DescribeEndpointConfig, DeleteEndpointConfig.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::account::{Account, Kind};
use super::answer::{Step, answer, empty};
use super::catalog::{Catalog, Change, check_free, check_tags, find, find_own};
use super::error::ControlError;
use super::input::Input;
use super::resources::{Given, Object, Record};
use super::timestamp::{Seconds, Timestamp};
use crate::aws::definition;
use crate::aws::fault::Faults;

const NAME: &str = "EndpointConfigName";

/// Members that promise what does not happen here.
const REFUSED: [(&str, &str, &str); 3] = [
    ("AsyncInferenceConfig", "asyncInferenceConfig", "asynchronous inference is not supported"),
    ("ShadowProductionVariants", "shadowProductionVariants", "shadow variants are not supported"),
    ("CrossRegionTrafficConfig", "crossRegionTrafficConfig", "traffic across regions is not supported"),
];

pub fn create(catalog: &Catalog, account: &Account, input: Input, now: Timestamp) -> Result<Step, ControlError> {
    let (name, tags) = (input.text(NAME), input.tags());
    check_supported(input)?;
    check_explainer(input)?;
    check_tags(&tags)?;
    check_free(&catalog.configs, account, Kind::EndpointConfig, name)?;
    for variant in input.structures("ProductionVariants") {
        find_own(&catalog.models, account, Kind::Model, variant.text("ModelName"))?;
    }
    let record = Record::new(name, now, tags, Given(input.without(&[NAME, "Tags"])));
    let arn = account.arn(Kind::EndpointConfig, name);
    let answer = answer(&Map::from_iter([("EndpointConfigArn".to_owned(), arn.into())]));
    Ok(Step::quiet(Change::EndpointConfig(record), answer))
}

fn check_supported(input: Input) -> Result<(), ControlError> {
    let mut faults = Faults::default();
    for (name, path, reason) in REFUSED {
        if let Some(value) = input.get(name) {
            faults.push(path, value, format_args!("Member must be null: {reason}"));
        }
    }
    if input.structure("DataCaptureConfig").is_some_and(|capture| capture.is_true("EnableCapture")) {
        let constraint = "Member must be false: data capture is not supported";
        faults.push("dataCaptureConfig.enableCapture", &true.into(), constraint);
    }
    let mut names = BTreeSet::new();
    for (i, variant) in input.structures("ProductionVariants").enumerate() {
        let mut refuse = |member: &str, value: &Value, constraint: &str| {
            faults.push(&format!("productionVariants.{}.member.{member}", i + 1), value, constraint);
        };
        let name = variant.text("VariantName");
        if !names.insert(name) {
            refuse("variantName", &name.into(), "Member must be the name of one variant only");
        }
        if variant.get("ModelName").is_none() {
            refuse("modelName", &Value::Null, "Member must not be null: inference components are not supported");
        }
        if variant.structures("InstancePools").any(|pool| pool.get("ModelNameOverride").is_some()) {
            let constraint = "Member must have no ModelNameOverride: a variant has one model";
            refuse("instancePools", &variant.list("InstancePools").len().into(), constraint);
        }
        if let Some(value) = variant.get("ServerlessConfig").filter(|_| input.get("ExplainerConfig").is_some()) {
            refuse("serverlessConfig", value, "Member must be null when ExplainerConfig is given");
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.into()) }
}

fn check_explainer(input: Input) -> Result<(), ControlError> {
    match input.get("ExplainerConfig") {
        Some(config) => Ok(definition::check_explainer(config)?),
        None => Ok(()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Described<'a> {
    endpoint_config_name: &'a str,
    endpoint_config_arn: String,
    #[serde(flatten)]
    given: &'a Object,
    creation_time: Seconds,
}

pub fn describe(catalog: &Catalog, account: &Account, input: Input) -> Result<Vec<u8>, ControlError> {
    let record = find(&catalog.configs, account, Kind::EndpointConfig, input.text(NAME))?;
    Ok(answer(&Described {
        endpoint_config_name: &record.name,
        endpoint_config_arn: account.arn(Kind::EndpointConfig, &record.name),
        given: &record.body.0,
        creation_time: Seconds(record.created()),
    }))
}

/// Endpoints that were made from it go on.
pub fn delete(catalog: &Catalog, account: &Account, input: Input) -> Result<Step, ControlError> {
    let record = find_own(&catalog.configs, account, Kind::EndpointConfig, input.text(NAME))?;
    Ok(Step::quiet(Change::remove(Kind::EndpointConfig, &record.name), empty()))
}
