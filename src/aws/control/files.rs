//! An endpoint of a definition file, as the three resources that the API would have made of it.

use serde_json::{Value, json};

use super::catalog::{Catalog, Change};
use super::input::Input;
use super::resources::{DeployedVariant, Deployment, EndpointBody, Given, Object, Record, Status};
use super::timestamp::Timestamp;
use crate::aws::headers::VARIANT;

/// What a definition file says, already checked and open.
pub struct FileEndpoint {
    pub name: String,
    pub definition: Object,
    pub written: std::time::SystemTime,
}

impl FileEndpoint {
    /// Model, endpoint configuration and endpoint have its name.
    pub(super) fn add_to(self, catalog: &mut Catalog) {
        let Self { name, definition, written } = self;
        let (definition, written) = (Input(&definition), Timestamp::from(written));
        let container = definition.structure("PrimaryContainer").map(shown).unwrap_or_default();
        let explainer_config = definition.structure("ExplainerConfig").map(|given| given.0.clone());
        let variant = json!({"VariantName": VARIANT, "ModelName": name, "InitialVariantWeight": 1.0});
        let mut config = Object::from_iter([("ProductionVariants".to_owned(), json!([variant]))]);
        config.extend(explainer_config.clone().map(|given| ("ExplainerConfig".to_owned(), Value::from(given))));
        let model = Object::from_iter([("PrimaryContainer".to_owned(), container.clone().into())]);
        catalog.apply(Change::Model(from_file(&name, written, Given(model))));
        catalog.apply(Change::EndpointConfig(from_file(&name, written, Given(config))));
        let deployed = DeployedVariant {
            name: VARIANT.to_owned(),
            weight: 1.0,
            instance_count: None,
            serverless_config: None,
            container,
        };
        let deployment = Deployment {
            config_name: name.clone(),
            started_ms: written.0,
            explainer_config,
            variants: vec![deployed],
            deployment_config: None,
        };
        let status = Status::InService;
        let body = EndpointBody { status, failure_reason: None, deployment, next: None, closed_reason: None };
        catalog.apply(Change::Endpoint(Box::new(from_file(&name, written, body))));
    }
}

/// Our own variables are what a caller must know; what else stands in the Environment of a file may be a secret.
fn shown(container: Input) -> Object {
    let mut container = container.0.clone();
    if let Some(Value::Object(environment)) = container.get_mut("Environment") {
        let foreign = environment.iter_mut().filter(|(name, _)| !name.starts_with("EXPLAIND_"));
        foreign.for_each(|(_, value)| *value = "(not shown)".into());
    }
    container
}

fn from_file<B>(name: &str, written: Timestamp, body: B) -> Record<B> {
    Record { is_from_file: true, ..Record::new(name, written, Vec::new(), body) }
}
