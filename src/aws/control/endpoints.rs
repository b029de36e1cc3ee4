//! CreateEndpoint, UpdateEndpoint, UpdateEndpointWeightsAndCapacities, DeleteEndpoint. What opens them is elsewhere.

use serde_json::{Map, Value};

use super::account::{Account, Kind, key};
use super::answer::{Step, Then, answer, empty};
use super::catalog::{Catalog, Change, Endpoint, check_free, check_tags, find_own};
use super::deployments::{deployment, retain};
use super::error::ControlError;
use super::input::Input;
use super::resources::{EndpointBody, Record, Status};
use super::timestamp::Timestamp;
use crate::aws::fault::Faults;

const NAME: &str = "EndpointName";

pub fn create(catalog: &Catalog, account: &Account, input: Input, now: Timestamp) -> Result<Step, ControlError> {
    let (name, tags) = (input.text(NAME), input.tags());
    check_tags(&tags)?;
    check_free(&catalog.endpoints, account, Kind::Endpoint, name)?;
    let deployment = deployment(catalog, account, input, now)?;
    let status = Status::Creating;
    let body = EndpointBody { status, failure_reason: None, deployment, next: None, closed_reason: None };
    let record = Record::new(name, now, tags, body);
    Ok(changed(account, record, Then::Open { key: key(name) }))
}

/// The old variants serve until the new ones are open.
pub fn update(catalog: &Catalog, account: &Account, input: Input, now: Timestamp) -> Result<Step, ControlError> {
    let mut record = settled(catalog, account, input)?.clone();
    let mut next = deployment(catalog, account, input, now)?;
    retain(&mut next, &record.body.deployment, input);
    record.modified_ms = now.0;
    record.body.status = Status::Updating;
    record.body.failure_reason = None;
    record.body.next = Some(next);
    let then = Then::Open { key: key(&record.name) };
    Ok(changed(account, record, then))
}

/// At once: a weight is a share of requests; counts and concurrency have no meaning here but that they are shown.
pub fn update_weights(
    catalog: &Catalog,
    account: &Account,
    input: Input,
    now: Timestamp,
) -> Result<Step, ControlError> {
    let mut record = settled(catalog, account, input)?.clone();
    let variants = &mut record.body.deployment.variants;
    let mut faults = Faults::default();
    for (i, desired) in input.structures("DesiredWeightsAndCapacities").enumerate() {
        let name = desired.text("VariantName");
        let mut refuse = |member: &str, value: &Value, constraint: &str| {
            let path = format!("desiredWeightsAndCapacities.{}.member.{member}", i + 1);
            faults.push(&path, value, constraint);
        };
        let Some(variant) = variants.iter_mut().find(|variant| variant.name == name) else {
            refuse("variantName", &name.into(), "Member must be the name of a variant of the endpoint");
            continue;
        };
        variant.weight = desired.find_number("DesiredWeight").unwrap_or(variant.weight);
        variant.instance_count = desired.find_count("DesiredInstanceCount").or(variant.instance_count);
        let Some(update) = desired.structure("ServerlessUpdateConfig") else { continue };
        match &mut variant.serverless_config {
            Some(Value::Object(config)) => config.extend(update.without(&[])),
            _ => {
                let constraint = "Member must be null: the variant has no ServerlessConfig";
                refuse("serverlessUpdateConfig", &update.without(&[]).into(), constraint);
            }
        }
    }
    if !faults.is_empty() {
        return Err(faults.into());
    }
    record.modified_ms = now.0;
    let then = Then::Reweigh { key: key(&record.name) };
    Ok(changed(account, record, then))
}

pub fn delete(catalog: &Catalog, account: &Account, input: Input) -> Result<Step, ControlError> {
    let record = find_own(&catalog.endpoints, account, Kind::Endpoint, input.text(NAME))?;
    check_not_passing(account, record)?;
    let then = Then::Close { name: record.name.clone() };
    Ok(Step { change: Change::remove(Kind::Endpoint, &record.name), answer: empty(), then })
}

fn changed(account: &Account, record: Endpoint, then: Then) -> Step {
    let arn = account.arn(Kind::Endpoint, &record.name);
    let answer = answer(&Map::from_iter([("EndpointArn".to_owned(), arn.into())]));
    Step { change: Change::Endpoint(Box::new(record)), answer, then }
}

/// An endpoint that serves, and that nothing happens to.
fn settled<'a>(catalog: &'a Catalog, account: &Account, input: Input) -> Result<&'a Endpoint, ControlError> {
    let record = find_own(&catalog.endpoints, account, Kind::Endpoint, input.text(NAME))?;
    check_not_passing(account, record)?;
    match record.body.status() {
        Status::Failed => Err(ControlError::Failed(account.arn(Kind::Endpoint, &record.name))),
        _ => Ok(record),
    }
}

fn check_not_passing(account: &Account, record: &Endpoint) -> Result<(), ControlError> {
    match record.body.status().is_passing() {
        true => Err(ControlError::InProgress(account.arn(Kind::Endpoint, &record.name))),
        false => Ok(()),
    }
}
