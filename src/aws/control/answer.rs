//! What a call decides: a change, the answer when it is made, and what follows from it.

use serde::Serialize;

use super::catalog::Change;

/// Nothing of it has happened yet.
pub struct Step {
    pub change: Change,
    pub answer: Vec<u8>,
    pub then: Then,
}

/// What is to be done about an endpoint, by its key or its name, when the change is written.
#[derive(Debug, PartialEq, Eq)]
pub enum Then {
    Nothing,
    /// What is deployed, or is to take its place, is opened.
    Open {
        key: String,
    },
    /// Its variants get their new weights.
    Reweigh {
        key: String,
    },
    /// It takes no more requests.
    Close {
        name: String,
    },
}

impl Step {
    pub fn quiet(change: Change, answer: Vec<u8>) -> Self {
        Self { change, answer, then: Then::Nothing }
    }
}

/// Compact JSON.
pub fn answer(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("answers are JSON. This is a bug.")
}

/// Of operations that return nothing.
pub fn empty() -> Vec<u8> {
    Vec::new()
}
