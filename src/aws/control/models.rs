//! CreateModel, DescribeModel, DeleteModel.

use serde::Serialize;
use serde_json::{Map, Value};

use super::account::{Account, Kind};
use super::answer::{Step, answer, empty};
use super::catalog::{Catalog, Change, Model, check_free, check_tags, find, find_own};
use super::error::ControlError;
use super::input::Input;
use super::resources::{Given, Object, Record};
use super::timestamp::{Seconds, Timestamp};
use crate::aws::fault::Faults;

/// Members of a container that would need what is not here, and why.
const REFUSED: [(&str, &str); 7] = [
    ("ModelPackageName", PACKAGES),
    ("InferenceSpecificationName", PACKAGES),
    ("AdditionalModelDataSources", PACKAGES),
    ("ModelDataSource.S3DataSource.HubAccessConfig", "there is no hub of models here"),
    ("ModelDataSource.S3DataSource.ManifestS3Uri", NOT_COMPARED),
    ("ModelDataSource.S3DataSource.ETag", NOT_COMPARED),
    ("ModelDataSource.S3DataSource.ManifestEtag", NOT_COMPARED),
];
const PACKAGES: &str = "model packages and additional sources are not supported";
const NOT_COMPARED: &str = "what is stored is not compared with anything";

pub fn create(catalog: &Catalog, account: &Account, input: Input, now: Timestamp) -> Result<Step, ControlError> {
    let (name, tags) = (input.text("ModelName"), input.tags());
    check_container(input)?;
    check_tags(&tags)?;
    check_free(&catalog.models, account, Kind::Model, name)?;
    let record = Record::new(name, now, tags, Given(input.without(&["ModelName", "Tags"])));
    let answer = answer(&Map::from_iter([("ModelArn".to_owned(), account.arn(Kind::Model, name).into())]));
    Ok(Step::quiet(Change::Model(record), answer))
}

/// Exactly one container, whose answers are all there is.
fn check_container(input: Input) -> Result<(), ControlError> {
    let mut faults = Faults::default();
    let (primary, list) = (input.structure("PrimaryContainer"), input.list("Containers"));
    let mut refuse = |path: &str, value: &Value, constraint: &str| faults.push(path, value, constraint);
    match (primary, list.len()) {
        (None, 0) => {
            refuse("primaryContainer", &Value::Null, "Member must not be null when Containers is null");
        }
        (Some(_), 1..) => {
            refuse("containers", &list.len().into(), "Member must be null when PrimaryContainer is given");
        }
        (None, 2..) => {
            let constraint = "Member must have length 1: inference pipelines are not supported";
            refuse("containers", &list.len().into(), constraint);
        }
        _ => {}
    }
    let listed = list.first().and_then(Value::as_object).map(Input);
    for (path, container) in [("primaryContainer", primary), ("containers.1.member", listed)] {
        for (name, reason) in REFUSED {
            if let Some(value) = container.and_then(|container| at(container, name)) {
                let path = name.split('.').map(lower_first).fold(path.to_owned(), |path, name| path + "." + &name);
                refuse(&path, value, &format!("Member must be null: {reason}"));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.into()) }
}

fn at<'a>(container: Input<'a>, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        Some((name, below)) => at(container.structure(name)?, below),
        None => container.get(path),
    }
}

fn lower_first(name: &str) -> String {
    name[..1].to_ascii_lowercase() + &name[1..]
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Described<'a> {
    model_name: &'a str,
    model_arn: String,
    #[serde(flatten)]
    given: &'a Object,
    creation_time: Seconds,
}

pub fn describe(catalog: &Catalog, account: &Account, input: Input) -> Result<Vec<u8>, ControlError> {
    let record = find(&catalog.models, account, Kind::Model, input.text("ModelName"))?;
    Ok(answer(&Described {
        model_name: &record.name,
        model_arn: account.arn(Kind::Model, &record.name),
        given: &record.body.0,
        creation_time: Seconds(record.created()),
    }))
}

/// Endpoints that serve it go on.
pub fn delete(catalog: &Catalog, account: &Account, input: Input) -> Result<Step, ControlError> {
    let record = find_own(&catalog.models, account, Kind::Model, input.text("ModelName"))?;
    Ok(Step::quiet(Change::remove(Kind::Model, &record.name), empty()))
}

/// The one container of a model.
pub fn container(model: &Model) -> &Object {
    let given = Input(&model.body.0);
    let container = given.structure("PrimaryContainer").or_else(|| given.structures("Containers").next());
    container.expect("a model has one container. This is a bug.").0
}
