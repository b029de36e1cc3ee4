//! An endpoint configuration and its models → all that an endpoint is made of, and what an update keeps of the old one.

use serde_json::Value;

use super::account::{Account, Kind};
use super::catalog::{Catalog, EndpointConfig, find_own};
use super::error::ControlError;
use super::input::Input;
use super::models;
use super::resources::{DeployedVariant, Deployment};
use super::timestamp::Timestamp;
use crate::aws::fault::Faults;

const WEIGHT: f64 = 1.0;

/// What the configuration of this name says now. `input` is the request that deploys it.
pub fn deployment(
    catalog: &Catalog,
    account: &Account,
    input: Input,
    now: Timestamp,
) -> Result<Deployment, ControlError> {
    check_deployment_config(input)?;
    let name = input.text("EndpointConfigName");
    let config = find_own(&catalog.configs, account, Kind::EndpointConfig, name)?;
    Ok(Deployment {
        config_name: config.name.clone(),
        started_ms: now.0,
        explainer_config: Input(&config.body.0).structure("ExplainerConfig").map(|given| given.0.clone()),
        variants: variants(catalog, account, config)?,
        deployment_config: input.get("DeploymentConfig").cloned(),
    })
}

fn variants(
    catalog: &Catalog,
    account: &Account,
    config: &EndpointConfig,
) -> Result<Vec<DeployedVariant>, ControlError> {
    let given = Input(&config.body.0).structures("ProductionVariants");
    let deployed = given.map(|variant| {
        let model = find_own(&catalog.models, account, Kind::Model, variant.text("ModelName"))?;
        Ok(DeployedVariant {
            name: variant.text("VariantName").to_owned(),
            weight: variant.find_number("InitialVariantWeight").unwrap_or(WEIGHT),
            instance_count: variant.find_count("InitialInstanceCount"),
            serverless_config: variant.get("ServerlessConfig").cloned(),
            container: models::container(model).clone(),
        })
    });
    deployed.collect()
}

/// The new variants take over all at once when they are open; other ways of moving traffic are refused.
fn check_deployment_config(input: Input) -> Result<(), ControlError> {
    let Some(config) = input.structure("DeploymentConfig") else { return Ok(()) };
    let mut faults = Faults::default();
    let routing = config.structure("BlueGreenUpdatePolicy").and_then(|policy| {
        policy.structure("TrafficRoutingConfiguration").and_then(|routing| routing.get("Type"))
    });
    if let Some(kind) = routing.filter(|kind| kind.as_str() != Some("ALL_AT_ONCE")) {
        let path = "deploymentConfig.blueGreenUpdatePolicy.trafficRoutingConfiguration.type";
        faults.push(path, kind, "Member must be ALL_AT_ONCE: traffic moves in one step");
    }
    if let Some(policy) = config.get("RollingUpdatePolicy") {
        let constraint = "Member must be null: traffic moves in one step";
        faults.push("deploymentConfig.rollingUpdatePolicy", policy, constraint);
    }
    let alarms = config.structure("AutoRollbackConfiguration").and_then(|rollback| rollback.get("Alarms"));
    if let Some(alarms) = alarms.filter(|alarms| alarms.as_array().is_some_and(|alarms| !alarms.is_empty())) {
        let constraint = "Member must be empty: alarms are not watched";
        faults.push("deploymentConfig.autoRollbackConfiguration.alarms", alarms, constraint);
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.into()) }
}

/// What an UpdateEndpoint leaves as it is.
pub fn retain(next: &mut Deployment, old: &Deployment, input: Input) {
    if input.is_true("RetainDeploymentConfig") && next.deployment_config.is_none() {
        next.deployment_config.clone_from(&old.deployment_config);
    }
    if !input.is_true("RetainAllVariantProperties") {
        return;
    }
    let excluded: Vec<&Value> = input
        .structures("ExcludeRetainedVariantProperties")
        .filter_map(|property| property.get("VariantPropertyType"))
        .collect();
    let keeps = |property: &str| !excluded.iter().any(|excluded| excluded.as_str() == Some(property));
    for variant in &mut next.variants {
        let Some(old) = old.variants.iter().find(|old| old.name == variant.name) else { continue };
        if keeps("DesiredWeight") {
            variant.weight = old.weight;
        }
        if keeps("DesiredInstanceCount") && variant.instance_count.is_some() {
            variant.instance_count = old.instance_count.or(variant.instance_count);
        }
    }
}
