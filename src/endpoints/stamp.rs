//! What decides an answer besides the record → one hash. The same stamp and record give the same answer.

use serde_json::{Value, json};

use crate::config::{Kernel, SampledEstimator};
use crate::model::{Identity, sha256};

/// Everything besides record and model that decides an answer.
pub(super) struct Stamped<'a> {
    /// The bytes of the baseline, wherever they came from.
    pub(super) baseline: &'a [u8],
    /// The configuration as it was given; the order of its members does not matter.
    pub(super) config: &'a Value,
    pub(super) seed: i64,
    pub(super) kernel: Kernel,
    pub(super) estimator: SampledEstimator,
}

/// The stamp of an endpoint, but for the model that answers.
#[derive(Default)]
pub struct Stamp(String);

impl Stamp {
    pub(super) fn new(stamped: &Stamped) -> Self {
        let parts = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "baseline": sha256(stamped.baseline),
            "config": stamped.config,
            "seed": stamped.seed,
            "kernel": stamped.kernel.name(),
            "estimator": stamped.estimator.name(),
        });
        Self(sha256(parts.to_string().as_bytes()))
    }

    /// SHA-256 in hexadecimal.
    pub fn with(&self, model: &Identity) -> String {
        sha256(json!({ "endpoint": self.0, "model": model }).to_string().as_bytes())
    }
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
            baseline: b"0,0",
            config: &config,
            seed: 0,
            kernel: Kernel::Shapley,
            estimator: SampledEstimator::KernelShap,
        };
        let file = Identity::File("trees".to_owned());
        let stamp = |stamped: Stamped| Stamp::new(&stamped).with(&file);
        let own = stamp(base());
        assert_eq!(own.len(), 64);
        assert_eq!(stamp(Stamped { config: &reordered, ..base() }), own);
        let changed = json!({"a": 1, "b": {"c": "x", "d": 3}});
        for other in [
            Stamped { baseline: b"0,1", ..base() },
            Stamped { config: &changed, ..base() },
            Stamped { seed: 1, ..base() },
            Stamped { kernel: Kernel::Clarify, ..base() },
            Stamped { estimator: SampledEstimator::Trend, ..base() },
        ] {
            assert_ne!(stamp(other), own);
        }
        let container = |url: &str, model: &[&str]| Identity::Container {
            url: url.to_owned(),
            model: model.iter().map(|&part| part.to_owned()).collect(),
        };
        let models = [
            file.clone(),
            Identity::File("treez".to_owned()),
            container("http://trees", &[]),
            container("http://treez", &[]),
            container("http://trees", &["a"]),
            container("http://trees", &["b"]),
            container("http://trees", &["b", "c"]),
        ];
        let stamps: BTreeSet<String> = models.iter().map(|model| Stamp::new(&base()).with(model)).collect();
        assert_eq!(stamps.len(), models.len());
    }
}
