//! One endpoint: its variants, and which of them a request asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::stamp::Stamp;
use crate::explain::Explainer;
use crate::model::Forward;
use crate::records::FeatureType;

/// One endpoint, ready to answer.
pub struct Endpoint {
    pub name: String,
    variants: Vec<Variant>,
    /// Requests that left the choice to the weights.
    n_shared: AtomicU64,
}

/// One of several ways to answer; most endpoints have one.
#[derive(Clone)]
pub struct Variant {
    pub name: String,
    /// Its share of the requests that name none, beside the weights of the others; finite, at least 0.
    pub weight: f64,
    pub opened: Opened,
}

/// A model and what is done with its answers, ready.
#[derive(Clone)]
pub struct Opened {
    /// Each request says which of many models it asks.
    pub has_many_models: bool,
    pub service: Service,
}

/// What is done with a request.
#[derive(Clone)]
pub enum Service {
    Explain(Arc<Explained>),
    /// Without an explainer the model's answer is the answer.
    Forward(Arc<dyn Forward>),
}

/// A model with its explainer.
pub struct Explained {
    pub explainer: Explainer,
    pub feature_headers: Option<Vec<String>>,
    /// Where a feature is a text.
    pub feature_types: Option<Vec<FeatureType>>,
    /// With the model that answers, it identifies everything that decides an answer besides the record.
    pub stamp: Stamp,
}

/// No variant answers a request.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoVariant {
    #[error("Variant {name} does not exist; this endpoint has {known}.")]
    Unknown { name: String, known: String },
    #[error("All variants of this endpoint have weight 0; name one of them: {known}.")]
    NoTraffic { known: String },
}

impl Endpoint {
    pub fn new(name: String, variants: Vec<Variant>) -> Self {
        Self { name, variants, n_shared: AtomicU64::new(0) }
    }

    /// One variant, which takes all requests.
    pub fn single(name: String, variant: &str, opened: Opened) -> Self {
        Self::new(name, vec![Variant { name: variant.to_owned(), weight: 1.0, opened }])
    }

    pub fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// The one of this name, else the next one by the weights.
    pub fn choose(&self, name: Option<&str>) -> Result<&Variant, NoVariant> {
        let Some(name) = name else { return self.next() };
        let named = self.variants.iter().find(|variant| variant.name == name);
        named.ok_or_else(|| NoVariant::Unknown { name: name.to_owned(), known: self.known() })
    }

    /// Multiples of the golden ratio fall evenly between 0 and 1, so that any run of requests is shared by weight.
    fn next(&self) -> Result<&Variant, NoVariant> {
        const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
        if let [only] = self.variants.as_slice() {
            return Ok(only);
        }
        let place = self.n_shared.fetch_add(1, Ordering::Relaxed).wrapping_mul(GOLDEN) as f64 / 2f64.powi(64);
        let mut left = place * self.variants.iter().map(|variant| variant.weight).sum::<f64>();
        let mut weighty = self.variants.iter().filter(|variant| variant.weight > 0.0).peekable();
        while let Some(variant) = weighty.next() {
            left -= variant.weight;
            // Rounding leaves nobody behind the last one.
            if left < 0.0 || weighty.peek().is_none() {
                return Ok(variant);
            }
        }
        Err(NoVariant::NoTraffic { known: self.known() })
    }

    fn known(&self) -> String {
        self.variants.iter().map(|variant| variant.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use futures_util::FutureExt;

    use super::*;
    use crate::model::{Answer, Message, Reply};

    struct Silent;

    impl Forward for Silent {
        fn forward(&self, _: Message) -> Answer<'_, Reply> {
            std::future::pending().boxed()
        }
    }

    fn endpoint(weights: &[(&str, f64)]) -> Endpoint {
        let opened = Opened { has_many_models: false, service: Service::Forward(Arc::new(Silent)) };
        let variant =
            |&(name, weight): &(&str, f64)| Variant { name: name.to_owned(), weight, opened: opened.clone() };
        Endpoint::new("e".to_owned(), weights.iter().map(variant).collect())
    }

    fn counts(weights: &[(&str, f64)], n_requests: usize) -> BTreeMap<String, usize> {
        let endpoint = endpoint(weights);
        let mut counts = BTreeMap::new();
        for _ in 0..n_requests {
            *counts.entry(endpoint.choose(None).expect("takes traffic").name.clone()).or_default() += 1;
        }
        counts
    }

    #[test]
    fn any_run_of_requests_is_shared_by_weight() {
        for n_requests in [40, 400, 4000] {
            let counts = counts(&[("a", 3.0), ("none", 0.0), ("b", 1.0)], n_requests);
            assert!(counts["a"].abs_diff(n_requests * 3 / 4) <= 2, "{counts:?}");
            assert_eq!(counts.len(), 2, "{counts:?}");
        }
        assert_eq!(counts(&[("a", 0.0)], 3)["a"], 3, "a single variant needs no weight");
    }

    #[test]
    fn a_named_variant_answers_whatever_its_weight() {
        let endpoint = endpoint(&[("a", 0.0), ("b", 0.0)]);
        assert_eq!(endpoint.choose(Some("b")).map(|variant| variant.name.as_str()), Ok("b"));
        let known = "a, b".to_owned();
        let unknown = NoVariant::Unknown { name: "c".to_owned(), known: known.clone() };
        assert_eq!(endpoint.choose(Some("c")).err(), Some(unknown));
        assert_eq!(endpoint.choose(None).err(), Some(NoVariant::NoTraffic { known }));
    }
}
