//! What decides an answer besides the record → one hash. The same stamp and record give the same answer.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::setup::ContainerSource;
use crate::config::Kernel;
use crate::model::container::Protocol;
use crate::shap::Estimator;

/// Everything that a stamp covers.
pub(super) struct Stamped<'a> {
    pub(super) model: ModelIdentity<'a>,
    /// The bytes of the baseline, wherever they came from.
    pub(super) baseline: &'a [u8],
    /// The configuration as it was given; the order of its members does not matter.
    pub(super) config: &'a Value,
    pub(super) seed: i64,
    pub(super) kernel: Kernel,
    /// Of games that are too large to be listed.
    pub(super) estimator: Estimator,
}

#[derive(Clone, Copy)]
pub(super) enum ModelIdentity<'a> {
    Bytes(&'a [u8]),
    /// All that is known of a model in a container.
    Container(&'a ContainerSource),
}

impl Stamped<'_> {
    /// SHA-256 in hexadecimal.
    pub(super) fn stamp(&self) -> String {
        let model = match self.model {
            ModelIdentity::Bytes(bytes) => json!({ "sha256": hash(bytes) }),
            ModelIdentity::Container(ContainerSource { url, protocol, .. }) => match protocol {
                Protocol::SageMaker => json!({ "container": url }),
                Protocol::MlFlow => json!({ "container": url, "protocol": protocol.name() }),
                Protocol::OpenInference { model, output } => {
                    json!({ "container": url, "protocol": protocol.name(), "model": model, "output": output })
                }
            },
        };
        let parts = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "model": model,
            "baseline": hash(self.baseline),
            "config": self.config,
            "seed": self.seed,
            "kernel": self.kernel.name(),
            "estimator": self.estimator.name(),
        });
        hash(parts.to_string().as_bytes())
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_part_changes_the_stamp_and_the_order_of_members_does_not() {
        let config: Value = serde_json::from_str(r#"{"a": 1, "b": {"c": "x", "d": 2}}"#).expect("is JSON");
        let reordered: Value = serde_json::from_str(r#"{"b": {"d": 2, "c": "x"}, "a": 1}"#).expect("is JSON");
        let base = || Stamped {
            model: ModelIdentity::Bytes(b"trees"),
            baseline: b"0,0",
            config: &config,
            seed: 0,
            kernel: Kernel::Shapley,
            estimator: Estimator::KernelShap,
        };
        let stamp = base().stamp();
        assert_eq!(stamp.len(), 64);
        assert_eq!(Stamped { config: &reordered, ..base() }.stamp(), stamp);
        let changed = json!({"a": 1, "b": {"c": "x", "d": 3}});
        for other in [
            Stamped { model: ModelIdentity::Bytes(b"treez"), ..base() },
            Stamped { baseline: b"0,1", ..base() },
            Stamped { config: &changed, ..base() },
            Stamped { seed: 1, ..base() },
            Stamped { kernel: Kernel::Clarify, ..base() },
            Stamped { estimator: Estimator::Enumerated, ..base() },
        ] {
            assert_ne!(other.stamp(), stamp);
        }
    }
    #[test]
    fn every_part_of_a_container_changes_the_stamp() {
        let source = |url: &str, protocol| ContainerSource { url: url.to_owned(), protocol, models: None };
        let v2 = |model: &str, output: Option<&str>| Protocol::OpenInference {
            model: model.to_owned(),
            output: output.map(str::to_owned),
        };
        let sources = [
            source("http://a", Protocol::SageMaker),
            source("http://b", Protocol::SageMaker),
            source("http://a", Protocol::MlFlow),
            source("http://a", v2("iris", None)),
            source("http://a", v2("wine", None)),
            source("http://a", v2("iris", Some("p"))),
        ];
        let config = Value::Null;
        let stamp = |model| Stamped {
            model,
            baseline: b"0,0",
            config: &config,
            seed: 0,
            kernel: Kernel::Shapley,
            estimator: Estimator::KernelShap,
        };
        let models = sources.iter().map(ModelIdentity::Container);
        let stamps: BTreeSet<String> = models.map(|model| stamp(model).stamp()).collect();
        assert_eq!(stamps.len(), sources.len());
    }
}
