//! AddTags, ListTags, DeleteTags.

use serde_json::json;

use super::account::{Account, Kind};
use super::answer::{Step, answer};
use super::catalog::{Catalog, Change, check_tags};
use super::error::ControlError;
use super::input::{Input, set_tag};
use super::resources::Tag;

pub fn add(catalog: &Catalog, account: &Account, input: Input) -> Result<Step, ControlError> {
    let (kind, key, mut tags) = owner(catalog, account, input)?;
    for tag in input.structures("Tags") {
        set_tag(&mut tags, tag.text("Key"), tag.text("Value"));
    }
    check_tags(&tags)?;
    let answer = answer(&json!({ "Tags": tags }));
    Ok(Step::quiet(retagged(catalog, account, kind, &key, tags)?, answer))
}

/// A resource has so few that they fit one page.
pub fn list(catalog: &Catalog, account: &Account, input: Input) -> Result<Vec<u8>, ControlError> {
    if input.get("NextToken").is_some() {
        return Err(ControlError::Invalid("Invalid NextToken: all tags come in one page.".to_owned()));
    }
    let (_, _, tags) = owner(catalog, account, input)?;
    Ok(answer(&json!({ "Tags": tags })))
}

pub fn delete(catalog: &Catalog, account: &Account, input: Input) -> Result<Step, ControlError> {
    let (kind, key, mut tags) = owner(catalog, account, input)?;
    tags.retain(|tag| !input.texts("TagKeys").any(|gone| gone == tag.key));
    Ok(Step::quiet(retagged(catalog, account, kind, &key, tags)?, b"{}".to_vec()))
}

fn owner(catalog: &Catalog, account: &Account, input: Input) -> Result<(Kind, String, Vec<Tag>), ControlError> {
    let arn = input.text("ResourceArn");
    let found = account.read_arn(arn).and_then(|(kind, key)| {
        let tags = catalog.tags(kind, &key)?.to_vec();
        Some((kind, key, tags))
    });
    found.ok_or_else(|| ControlError::Invalid(format!("Could not find resource \"{arn}\".")))
}

fn retagged(
    catalog: &Catalog,
    account: &Account,
    kind: Kind,
    key: &str,
    tags: Vec<Tag>,
) -> Result<Change, ControlError> {
    let mut change = match kind {
        Kind::Model => Change::Model(catalog.models[key].clone()),
        Kind::EndpointConfig => Change::EndpointConfig(catalog.configs[key].clone()),
        Kind::Endpoint => Change::Endpoint(Box::new(catalog.endpoints[key].clone())),
    };
    let (own, is_from_file) = match &mut change {
        Change::Model(record) | Change::EndpointConfig(record) => (&mut record.tags, record.is_from_file),
        Change::Endpoint(record) => (&mut record.tags, record.is_from_file),
        Change::Remove(..) => panic!("a tag removes no resource. This is a bug."),
    };
    *own = tags;
    if is_from_file { Err(ControlError::FromFile { kind, arn: account.arn(kind, key) }) } else { Ok(change) }
}
