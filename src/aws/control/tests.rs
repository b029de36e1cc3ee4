//! Recorded answers written again, pages of lists, limits, and what an update keeps.

use serde_json::{Map, Value, json};

use super::account::{Account, Kind};
use super::catalog::{Catalog, Change, RECORDS_MAX};
use super::deployments::retain;
use super::input::Input;
use super::resources::{DeployedVariant, Deployment, Given, Object, Record};
use super::timestamp::Timestamp;
use super::{endpoints, listing, models};

const RECORDED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/recorded/control-plane.json"));

fn account(region: &str) -> Account {
    Account { id: "000000000000".to_owned(), region: region.to_owned() }
}

fn object(value: Value) -> Object {
    value.as_object().expect("is an object").clone()
}

fn text(value: &Value) -> String {
    value.as_str().expect("is a text").to_owned()
}

fn deployed(name: &str, weight: f64, instance_count: Option<u64>, container: Value) -> DeployedVariant {
    let container = object(container);
    DeployedVariant { name: name.to_owned(), weight, instance_count, serverless_config: None, container }
}

#[test]
fn creations_answer_with_their_recorded_bytes() {
    let recorded: Value = serde_json::from_str(RECORDED).expect("is JSON");
    for case in recorded["cases"].as_array().expect("is a list") {
        let body: Value = serde_json::from_str(case["body"].as_str().expect("is a text")).expect("is JSON");
        let Some(arn) = body["EndpointArn"].as_str().filter(|_| case["operation"] == "CreateEndpoint") else {
            continue;
        };
        let (_, name) = arn.split_once('/').expect("has a name");
        let given = json!({"ProductionVariants": [{"VariantName": "v", "ModelName": "m"}]});
        let mut catalog = Catalog::default();
        let model = Given(object(json!({"PrimaryContainer": {"Image": "i"}})));
        catalog.apply(Change::Model(Record::new("m", Timestamp(0), Vec::new(), model)));
        catalog.apply(Change::EndpointConfig(Record::new("c", Timestamp(0), Vec::new(), Given(object(given)))));
        let input = object(json!({"EndpointName": name.to_ascii_uppercase(), "EndpointConfigName": "c"}));
        let step =
            endpoints::create(&catalog, &account("us-west-2"), Input(&input), Timestamp(0)).expect("is new");
        assert_eq!(String::from_utf8(step.answer).expect("is UTF-8"), text(&case["body"]));
    }
}

/// 25 models, three of each moment.
fn many_models() -> Catalog {
    let mut catalog = Catalog::default();
    for i in 0..25_u64 {
        let given = Given(Map::new());
        catalog.apply(Change::Model(Record::new(
            &format!("Model-{i:02}"),
            Timestamp(1000 * (i / 3)),
            Vec::new(),
            given,
        )));
    }
    catalog
}

fn list(catalog: &Catalog, input: Value) -> (Vec<String>, Option<String>) {
    let answer = listing::models(catalog, &account("us-east-1"), Input(&object(input))).expect("lists");
    let answer: Value = serde_json::from_slice(&answer).expect("is JSON");
    let names = answer["Models"].as_array().expect("is a list").iter().map(|model| text(&model["ModelName"]));
    (names.collect(), answer["NextToken"].as_str().map(str::to_owned))
}

#[test]
fn pages_are_the_list_in_its_order_whatever_their_size() {
    let mut catalog = many_models();
    for (sort_by, sort_order) in [
        ("Name", "Ascending"),
        ("Name", "Descending"),
        ("CreationTime", "Ascending"),
        ("CreationTime", "Descending"),
    ] {
        let mut expected: Vec<String> = (0..25).map(|i| format!("Model-{i:02}")).collect();
        if sort_order == "Descending" {
            expected.reverse();
        }
        for n_page in [1, 7, 25, 100] {
            let (mut names, mut token) = (Vec::new(), None);
            loop {
                let input =
                    json!({"SortBy": sort_by, "SortOrder": sort_order, "MaxResults": n_page, "NextToken": token});
                let (page, next) = list(&catalog, input);
                assert!(page.len() <= n_page);
                names.extend(page);
                token = next;
                if token.is_none() {
                    break;
                }
            }
            assert_eq!(names, expected, "{sort_by} {sort_order} {n_page}");
        }
    }
    let (first, token) = list(&catalog, json!({"SortBy": "Name", "SortOrder": "Ascending"}));
    assert_eq!(first.len(), 10);
    catalog.apply(Change::remove(Kind::Model, "Model-09"));
    catalog.apply(Change::remove(Kind::Model, "Model-10"));
    let (second, _) = list(&catalog, json!({"SortBy": "Name", "SortOrder": "Ascending", "NextToken": token}));
    assert_eq!(second[0], "Model-11", "what goes between two pages moves nobody");
}

#[test]
fn filters_leave_what_they_name() {
    let catalog = many_models();
    for (filter, n_left) in [
        (json!({"NameContains": "-1"}), 10),
        (json!({"NameContains": "model"}), 0),
        (json!({"CreationTimeBefore": 2}), 6),
        (json!({"CreationTimeAfter": 7}), 4),
        (json!({"CreationTimeAfter": 0, "CreationTimeBefore": "1970-01-01T00:00:02Z"}), 6),
    ] {
        let mut input = object(filter.clone());
        input.insert("MaxResults".to_owned(), 100.into());
        assert_eq!(list(&catalog, input.into()).0.len(), n_left, "{filter}");
    }
}

#[test]
fn a_token_of_another_order_is_refused() {
    let catalog = many_models();
    let (_, token) = list(&catalog, json!({"SortBy": "Name"}));
    for input in [
        json!({"SortBy": "CreationTime", "NextToken": token}),
        json!({"NextToken": "bm8"}),
        json!({"NextToken": "é"}),
    ] {
        assert!(listing::models(&catalog, &account("r"), Input(&object(input))).is_err());
    }
}

#[test]
fn an_update_keeps_what_it_is_told_to_keep() {
    let deployment = |weights: &[(&str, f64, u64)]| Deployment {
        config_name: "c".to_owned(),
        started_ms: 0,
        explainer_config: None,
        variants: weights
            .iter()
            .map(|(name, weight, count)| deployed(name, *weight, Some(*count), json!({})))
            .collect(),
        deployment_config: None,
    };
    let old = deployment(&[("a", 7.0, 3), ("gone", 1.0, 1)]);
    let excluded = |property: &str| json!([{"VariantPropertyType": property}]);
    for (input, expected) in [
        (json!({}), (1.0, 1)),
        (json!({"RetainAllVariantProperties": false}), (1.0, 1)),
        (json!({"RetainAllVariantProperties": true}), (7.0, 3)),
        (
            json!({"RetainAllVariantProperties": true, "ExcludeRetainedVariantProperties": excluded("DesiredWeight")}),
            (1.0, 3),
        ),
        (
            json!({"RetainAllVariantProperties": true, "ExcludeRetainedVariantProperties": excluded("DesiredInstanceCount")}),
            (7.0, 1),
        ),
    ] {
        let mut next = deployment(&[("a", 1.0, 1), ("new", 2.0, 2)]);
        retain(&mut next, &old, Input(&object(input.clone())));
        let variants: Vec<_> =
            next.variants.iter().map(|variant| (variant.weight, variant.instance_count)).collect();
        assert_eq!(variants, [(expected.0, Some(expected.1)), (2.0, Some(2))], "{input}");
    }
}

#[test]
fn there_is_an_end_to_the_resources_of_a_kind() {
    let mut catalog = Catalog::default();
    for i in 0..RECORDS_MAX {
        catalog.apply(Change::Model(Record::new(&format!("m{i}"), Timestamp(0), Vec::new(), Given(Map::new()))));
    }
    let create = |catalog: &Catalog| {
        let input = object(json!({"ModelName": "one-more", "PrimaryContainer": {"Image": "i"}}));
        models::create(catalog, &account("r"), Input(&input), Timestamp(0)).map(drop)
    };
    let error = create(&catalog).expect_err("is full");
    assert_eq!((error.code(), error.status()), ("ResourceLimitExceeded", 400));
    assert!(error.to_string().contains("10000"), "{error}");
    catalog.apply(Change::remove(Kind::Model, "m0"));
    assert!(create(&catalog).is_ok());
}
