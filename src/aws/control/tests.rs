//! Recorded answers written again, pages of lists, and what an update keeps.

use serde_json::{Map, Value, json};

use super::account::{Account, Kind};
use super::catalog::{Catalog, Change};
use super::deployments::retain;
use super::input::Input;
use super::resources::{DeployedVariant, Deployment, EndpointBody, Given, Object, Record, Status};
use super::timestamp::Timestamp;
use super::{endpoint_description, endpoints, listing};

const RECORDED: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/recorded/control-plane.json"));

fn account(region: &str) -> Account {
    Account { id: "000000000000".to_owned(), region: region.to_owned() }
}

fn object(value: Value) -> Object {
    value.as_object().expect("is an object").clone()
}

fn ms(seconds: &Value) -> u64 {
    (seconds.as_f64().expect("is a number") * 1e3).round() as u64
}

fn text(value: &Value) -> String {
    value.as_str().expect("is a text").to_owned()
}

/// The record of which a recorded description tells.
fn endpoint(described: &Value) -> Record<EndpointBody> {
    let variant = &described["ProductionVariants"][0];
    // What an image resolves to is not looked up here.
    let image = variant["DeployedImages"][0]["ResolvedImage"].clone();
    let deployment = Deployment {
        config_name: text(&described["EndpointConfigName"]),
        started_ms: ms(&variant["DeployedImages"][0]["ResolutionTime"]),
        explainer_config: Some(object(described["ExplainerConfig"].clone())),
        variants: vec![deployed(
            variant["VariantName"].as_str().expect("is a text"),
            1.0,
            Some(1),
            json!({"Image": image}),
        )],
        deployment_config: None,
    };
    let status = Status::InService;
    let body = EndpointBody { status, failure_reason: None, deployment, next: None, closed_reason: None };
    let created = Timestamp(ms(&described["CreationTime"]));
    let modified_ms = ms(&described["LastModifiedTime"]);
    Record { modified_ms, ..Record::new(&text(&described["EndpointName"]), created, Vec::new(), body) }
}

fn deployed(name: &str, weight: f64, instance_count: Option<u64>, container: Value) -> DeployedVariant {
    let container = object(container);
    DeployedVariant { name: name.to_owned(), weight, instance_count, serverless_config: None, container }
}

#[test]
fn descriptions_have_their_recorded_members_and_lengths() {
    let recorded: Value = serde_json::from_str(RECORDED).expect("is JSON");
    let mut n_described = 0;
    for case in recorded["cases"].as_array().expect("is a list") {
        if case["operation"] != "DescribeEndpoint" {
            continue;
        }
        let body = text(&case["body"]);
        assert_eq!(body.len() as u64, case["content_length"].as_u64().expect("is a number"));
        let described: Value = serde_json::from_str(&body).expect("is JSON");
        let mut catalog = Catalog::default();
        catalog.apply(Change::Endpoint(Box::new(endpoint(&described))));
        let input = object(json!({"EndpointName": described["EndpointName"]}));
        let answer =
            endpoint_description::describe(&catalog, &account("us-west-2"), Input(&input)).expect("is there");
        let image = &described["ProductionVariants"][0]["DeployedImages"][0];
        let unresolved = body.replace(
            image["SpecifiedImage"].as_str().expect("is a text"),
            image["ResolvedImage"].as_str().expect("is a text"),
        );
        let answer = String::from_utf8(answer).expect("is UTF-8");
        assert_eq!(answer.len(), unresolved.len(), "{answer}\n{unresolved}");
        let parsed = |text: &str| serde_json::from_str::<Value>(text).expect("is JSON");
        assert_eq!(parsed(&answer), parsed(&unresolved));
        n_described += 1;
    }
    assert_eq!(n_described, 3);
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
fn models() -> Catalog {
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
    let mut catalog = models();
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
    let catalog = models();
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
    let catalog = models();
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
