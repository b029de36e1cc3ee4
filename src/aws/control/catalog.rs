//! All resources by kind and name, and one change of them: what a call decides before anything is written.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::account::{Account, Kind, key};
use super::error::ControlError;
use super::resources::{EndpointBody, Given, Record, Tag};
use crate::endpoints::Document;

pub type Model = Record<Given>;
pub type EndpointConfig = Record<Given>;
pub type Endpoint = Record<EndpointBody>;

/// Resources of one kind by their name in small letters.
pub type Shelf<B> = BTreeMap<String, Record<B>>;

#[derive(Default)]
pub struct Catalog {
    pub models: Shelf<Given>,
    pub configs: Shelf<Given>,
    pub endpoints: Shelf<EndpointBody>,
}

/// One resource, new or changed, or gone.
#[derive(Debug)]
pub enum Change {
    Model(Model),
    EndpointConfig(EndpointConfig),
    Endpoint(Box<Endpoint>),
    Remove(Kind, String),
}

/// Resources of one kind.
pub(super) const RECORDS_MAX: usize = 10_000;
const TAGS_MAX: usize = 50;

impl Catalog {
    /// Changes nothing but the catalog.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Model(record) => drop(self.models.insert(key(&record.name), record)),
            Change::EndpointConfig(record) => drop(self.configs.insert(key(&record.name), record)),
            Change::Endpoint(record) => drop(self.endpoints.insert(key(&record.name), *record)),
            Change::Remove(Kind::Model, key) => drop(self.models.remove(&key)),
            Change::Remove(Kind::EndpointConfig, key) => drop(self.configs.remove(&key)),
            Change::Remove(Kind::Endpoint, key) => drop(self.endpoints.remove(&key)),
        }
    }

    /// A document of the store, on the shelf of its kind.
    pub fn read(&mut self, document: &Document) -> Result<(), String> {
        let known = |kind: &Kind| kind.word() == document.shelf;
        let kind = Kind::ALL.into_iter().find(known).ok_or("the shelf is not known")?;
        let change = match kind {
            Kind::Model => Change::Model(record(document)?),
            Kind::EndpointConfig => Change::EndpointConfig(record(document)?),
            Kind::Endpoint => Change::Endpoint(Box::new(record(document)?)),
        };
        self.apply(change);
        Ok(())
    }

    pub fn tags(&self, kind: Kind, key: &str) -> Option<&[Tag]> {
        match kind {
            Kind::Model => self.models.get(key).map(|record| record.tags.as_slice()),
            Kind::EndpointConfig => self.configs.get(key).map(|record| record.tags.as_slice()),
            Kind::Endpoint => self.endpoints.get(key).map(|record| record.tags.as_slice()),
        }
    }
}

impl Change {
    pub fn remove(kind: Kind, name: &str) -> Self {
        Self::Remove(kind, key(name))
    }

    /// Kind and name, for the log.
    pub fn resource(&self) -> String {
        let (kind, name) = match self {
            Self::Model(record) => (Kind::Model, &record.name),
            Self::EndpointConfig(record) => (Kind::EndpointConfig, &record.name),
            Self::Endpoint(record) => (Kind::Endpoint, &record.name),
            Self::Remove(kind, key) => (*kind, key),
        };
        format!("{}/{name}", kind.word())
    }

    /// What the store gets; none for a resource that goes.
    pub fn document(&self) -> Option<Document> {
        match self {
            Self::Model(record) => Some(document(Kind::Model, record)),
            Self::EndpointConfig(record) => Some(document(Kind::EndpointConfig, record)),
            Self::Endpoint(record) => Some(document(Kind::Endpoint, record.as_ref())),
            Self::Remove(..) => None,
        }
    }
}

fn document<B: Serialize>(kind: Kind, record: &Record<B>) -> Document {
    let bytes = serde_json::to_vec_pretty(record).expect("records are JSON. This is a bug.");
    Document { shelf: kind.word().to_owned(), key: key(&record.name), bytes }
}

fn record<B: DeserializeOwned>(document: &Document) -> Result<Record<B>, String> {
    let record: Record<B> = serde_json::from_slice(&document.bytes).map_err(|error| error.to_string())?;
    if key(&record.name) == document.key { Ok(record) } else { Err(format!("it holds {:?}", record.name)) }
}

pub fn find<'a, B>(
    shelf: &'a Shelf<B>,
    account: &Account,
    kind: Kind,
    name: &str,
) -> Result<&'a Record<B>, ControlError> {
    shelf.get(&key(name)).ok_or_else(|| ControlError::NotFound { kind, arn: account.arn(kind, name) })
}

/// One that the API may change.
pub fn find_own<'a, B>(
    shelf: &'a Shelf<B>,
    account: &Account,
    kind: Kind,
    name: &str,
) -> Result<&'a Record<B>, ControlError> {
    let record = find(shelf, account, kind, name)?;
    if record.is_from_file {
        return Err(ControlError::FromFile { kind, arn: account.arn(kind, name) });
    }
    Ok(record)
}

/// The name is free, and there is room for one more.
pub fn check_free<B>(shelf: &Shelf<B>, account: &Account, kind: Kind, name: &str) -> Result<(), ControlError> {
    if shelf.contains_key(&key(name)) {
        return Err(ControlError::Exists { kind, arn: account.arn(kind, name) });
    }
    if shelf.len() >= RECORDS_MAX {
        return Err(ControlError::LimitExceeded { kind, limit: RECORDS_MAX });
    }
    Ok(())
}

pub fn check_tags(tags: &[Tag]) -> Result<(), ControlError> {
    if tags.len() > TAGS_MAX {
        let reason = format!("A resource has at most {TAGS_MAX} tags, not {}.", tags.len());
        return Err(ControlError::Invalid(reason));
    }
    Ok(())
}
