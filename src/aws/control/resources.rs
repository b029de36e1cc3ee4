//! What the control plane keeps of each model, endpoint configuration and endpoint.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::timestamp::Timestamp;

pub type Object = Map<String, Value>;

/// A resource, as it is kept in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record<B> {
    pub name: String,
    pub created_ms: u64,
    pub modified_ms: u64,
    pub tags: Vec<Tag>,
    pub body: B,
    /// Of a definition file, which the API can not change.
    #[serde(skip)]
    pub is_from_file: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    pub key: String,
    pub value: String,
}

/// A model or an endpoint configuration: the members that its request gave, without the tags.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Given(pub Object);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EndpointBody {
    pub status: Status,
    pub failure_reason: Option<String>,
    /// What serves, or is to serve.
    pub deployment: Deployment,
    /// What is to take its place.
    pub next: Option<Deployment>,
    /// It served before the process began, and does not open now; it is tried again.
    #[serde(skip)]
    pub closed_reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Creating,
    InService,
    Updating,
    Failed,
}

/// All that an endpoint is made of. It stays when configuration and models are deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deployment {
    pub config_name: String,
    pub started_ms: u64,
    pub explainer_config: Option<Object>,
    pub variants: Vec<DeployedVariant>,
    /// How a request asked for it to be put in place.
    pub deployment_config: Option<Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeployedVariant {
    pub name: String,
    pub weight: f64,
    pub instance_count: Option<u64>,
    pub serverless_config: Option<Value>,
    /// In the words of CreateModel.
    pub container: Object,
}

impl<B> Record<B> {
    pub fn new(name: &str, now: Timestamp, tags: Vec<Tag>, body: B) -> Self {
        let (created_ms, modified_ms) = (now.0, now.0);
        Self { name: name.to_owned(), created_ms, modified_ms, tags, body, is_from_file: false }
    }

    pub fn created(&self) -> Timestamp {
        Timestamp(self.created_ms)
    }

    pub fn modified(&self) -> Timestamp {
        Timestamp(self.modified_ms)
    }
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::InService => "InService",
            Self::Updating => "Updating",
            Self::Failed => "Failed",
        }
    }

    /// Something is still to come.
    pub fn is_passing(self) -> bool {
        matches!(self, Self::Creating | Self::Updating)
    }
}

impl EndpointBody {
    pub fn status(&self) -> Status {
        if self.closed_reason.is_some() { Status::Failed } else { self.status }
    }

    pub fn failure_reason(&self) -> Option<&str> {
        self.closed_reason.as_deref().or(self.failure_reason.as_deref())
    }
}
