//! ListModels, ListEndpointConfigs, ListEndpoints: filters, order and pages.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::account::{Account, Kind, key};
use super::answer::answer;
use super::catalog::{Catalog, Endpoint, Shelf};
use super::error::ControlError;
use super::input::Input;
use super::resources::Record;
use super::timestamp::{Seconds, Timestamp};

const PAGE: u64 = 10;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Models {
    models: Vec<ModelSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ModelSummary {
    model_name: String,
    model_arn: String,
    creation_time: Seconds,
}

pub fn models(catalog: &Catalog, account: &Account, input: Input) -> Result<Vec<u8>, ControlError> {
    let Page { records, next_token } = page(&catalog.models, input, |_| "")?;
    let summary = |record: &Record<_>| ModelSummary {
        model_name: record.name.clone(),
        model_arn: account.arn(Kind::Model, &record.name),
        creation_time: Seconds(record.created()),
    };
    Ok(answer(&Models { models: records.into_iter().map(summary).collect(), next_token }))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EndpointConfigs {
    endpoint_configs: Vec<EndpointConfigSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EndpointConfigSummary {
    endpoint_config_name: String,
    endpoint_config_arn: String,
    creation_time: Seconds,
}

pub fn endpoint_configs(catalog: &Catalog, account: &Account, input: Input) -> Result<Vec<u8>, ControlError> {
    let Page { records, next_token } = page(&catalog.configs, input, |_| "")?;
    let summary = |record: &Record<_>| EndpointConfigSummary {
        endpoint_config_name: record.name.clone(),
        endpoint_config_arn: account.arn(Kind::EndpointConfig, &record.name),
        creation_time: Seconds(record.created()),
    };
    let endpoint_configs = records.into_iter().map(summary).collect();
    Ok(answer(&EndpointConfigs { endpoint_configs, next_token }))
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoints {
    endpoints: Vec<EndpointSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EndpointSummary {
    endpoint_name: String,
    endpoint_arn: String,
    creation_time: Seconds,
    last_modified_time: Seconds,
    endpoint_status: &'static str,
}

pub fn endpoints(catalog: &Catalog, account: &Account, input: Input) -> Result<Vec<u8>, ControlError> {
    let status: fn(&Endpoint) -> _ = |record| record.body.status().word();
    let Page { records, next_token } = page(&catalog.endpoints, input, status)?;
    let summary = |record: &Endpoint| EndpointSummary {
        endpoint_name: record.name.clone(),
        endpoint_arn: account.arn(Kind::Endpoint, &record.name),
        creation_time: Seconds(record.created()),
        last_modified_time: Seconds(record.modified()),
        endpoint_status: status(record),
    };
    Ok(answer(&Endpoints { endpoints: records.into_iter().map(summary).collect(), next_token }))
}

struct Page<'a, B> {
    records: Vec<&'a Record<B>>,
    next_token: Option<String>,
}

/// Where a record stands in the order, and nowhere else than any other one.
type Place = (String, String);

fn page<'a, B>(
    shelf: &'a Shelf<B>,
    input: Input,
    status: fn(&Record<B>) -> &'static str,
) -> Result<Page<'a, B>, ControlError> {
    let sort_by = input.find_text("SortBy").unwrap_or("CreationTime");
    let is_ascending = input.find_text("SortOrder") == Some("Ascending");
    let place = |record: &Record<B>| {
        let sorted = match sort_by {
            "Name" => String::new(),
            "Status" => status(record).to_owned(),
            _ => format!("{:020}", record.created_ms),
        };
        (sorted, key(&record.name))
    };
    let order = format!("{sort_by} {is_ascending}");
    let begin = input.find_text("NextToken").map(|token| read_token(token, &order)).transpose()?;
    let passes = filter(input, status);
    let comes = |place: &Place| match &begin {
        Some(last) if is_ascending => place > last,
        Some(last) => place < last,
        None => true,
    };
    let mut found: Vec<(Place, &Record<B>)> =
        shelf.values().filter(|record| passes(record)).map(|record| (place(record), record)).collect();
    found.retain(|(place, _)| comes(place));
    found.sort_by(|(a, _), (b, _)| if is_ascending { a.cmp(b) } else { b.cmp(a) });
    let n_page = input.find_count("MaxResults").unwrap_or(PAGE) as usize;
    let next_token = (found.len() > n_page).then(|| write_token(&order, &found[n_page - 1].0));
    Ok(Page { records: found.into_iter().take(n_page).map(|(_, record)| record).collect(), next_token })
}

fn filter<B>(input: Input, status: fn(&Record<B>) -> &'static str) -> impl Fn(&Record<B>) -> bool {
    let time = |name: &str| input.get(name).and_then(Timestamp::read);
    // The service model counts what was created at the time itself as created after it, and what was modified then not.
    let created = (time("CreationTimeAfter"), time("CreationTimeBefore"));
    let modified = (time("LastModifiedTimeAfter"), time("LastModifiedTimeBefore"));
    let (contained, wanted) = (input.find_text("NameContains"), input.find_text("StatusEquals"));
    move |record| {
        created.0.is_none_or(|after| record.created() >= after)
            && created.1.is_none_or(|before| record.created() < before)
            && modified.0.is_none_or(|after| record.modified() > after)
            && modified.1.is_none_or(|before| record.modified() < before)
            && contained.is_none_or(|part| record.name.contains(part))
            && wanted.is_none_or(|wanted| status(record) == wanted)
    }
}

/// The last record of a page, in the order that it was asked in.
fn write_token(order: &str, (sorted, key): &Place) -> String {
    URL_SAFE_NO_PAD.encode(format!("{order}\n{sorted}\n{key}"))
}

fn read_token(token: &str, order: &str) -> Result<Place, ControlError> {
    let read = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (of, place) = text.split_once('\n')?;
        let (sorted, key) = place.split_once('\n')?;
        (of == order).then(|| (sorted.to_owned(), key.to_owned()))
    };
    let reason = "Invalid NextToken: it must come from the page before, with the same SortBy and SortOrder.";
    read().ok_or_else(|| ControlError::Invalid(reason.to_owned()))
}
