//! What the model admits and refuses, as data; and that the model itself is sound.

use serde_json::json;

use super::shape::Shape;
use super::*;

fn check_value(operation: &str, input: &Value) -> Result<(), String> {
    check(operation, input.as_object().expect("is an object")).map_err(|faults| faults.to_string())
}

/// An input of each operation that has many members, with which nothing is wrong.
fn input(operation: &str) -> Value {
    match operation {
        "CreateModel" => json!({
            "ModelName": "m",
            "PrimaryContainer": {
                "Image": "repository/image:1", "ModelDataUrl": "s3://bucket/m.tar.gz", "Mode": "SingleModel",
                "Environment": {"A": "1", "_b": ""}, "ImageConfig": {"RepositoryAccessMode": "Vpc"},
            },
            "ExecutionRoleArn": "arn:aws:iam::123456789012:role/r",
            "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
            "Tags": [{"Key": "é b", "Value": ""}],
            "EnableNetworkIsolation": false,
        }),
        "CreateEndpointConfig" => json!({
            "EndpointConfigName": "c",
            "ProductionVariants": [
                {"VariantName": "a", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.xlarge",
                 "InitialVariantWeight": 0.5},
                {"VariantName": "b", "ModelName": "m", "InitialVariantWeight": 0,
                 "ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 200}},
            ],
            "ExplainerConfig": {"ClarifyExplainerConfig": {
                "InferenceConfig": {"FeatureTypes": ["text"], "LabelHeaders": ["a"]},
                "ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": "0"}, "Seed": -1, "UseLogit": true},
            }},
        }),
        "ListEndpoints" => json!({"SortBy": "Status", "MaxResults": 100, "CreationTimeAfter": 1.686294529147E9}),
        "UpdateEndpointWeightsAndCapacities" => {
            json!({"EndpointName": "e", "DesiredWeightsAndCapacities": [{"VariantName": "a", "DesiredWeight": 1}]})
        }
        "UpdateEndpoint" => json!({"EndpointName": "e", "EndpointConfigName": "c"}),
        _ => json!({}),
    }
}

/// With another value at a JSON pointer whose last name may be new.
fn with(operation: &str, pointer: &str, value: &Value) -> Result<(), String> {
    let mut input = input(operation);
    let (place, name) = pointer.rsplit_once('/').expect("is a pointer");
    match input.pointer_mut(place).expect("is there") {
        Value::Array(elements) => elements[name.parse::<usize>().expect("is an index")] = value.clone(),
        members => members[name] = value.clone(),
    }
    check_value(operation, &input)
}

const CONTAINER: &str = "/PrimaryContainer";
const VARIANT: &str = "/ProductionVariants/1";
const SHAP: &str = "/ExplainerConfig/ClarifyExplainerConfig/ShapConfig";

#[test]
fn bounds_belong_to_what_is_admitted() {
    let chars = |n| json!("é".repeat(n));
    let location = |n: usize| json!(format!("s3://b/{}", "k".repeat(n - 7)));
    let variables = |n| (0..n).map(|i| (format!("V{i}"), json!("x"))).collect::<Value>();
    for (operation, pointer, values) in [
        ("CreateModel", "/ModelName", vec![json!("a"), json!("A-1"), json!("a".repeat(63))]),
        ("CreateModel", "/PrimaryContainer/ModelDataUrl", vec![location(1024), json!("https://h"), Value::Null]),
        ("CreateModel", "/PrimaryContainer/Environment", vec![json!({}), variables(100)]),
        ("CreateModel", "/PrimaryContainer/Environment/A", vec![chars(0), chars(1024), json!("a\nb")]),
        ("CreateModel", "/VpcConfig/Subnets", vec![json!(["s"]), json!(vec!["s"; 16])]),
        ("CreateModel", "/Tags", vec![json!([]), json!(vec![json!({"Key": "k", "Value": "v"}); 50])]),
        ("CreateModel", "/Tags/0/Key", vec![chars(1), chars(128)]),
        ("CreateEndpointConfig", "/ProductionVariants/0/InitialInstanceCount", vec![json!(1), json!(i64::MAX)]),
        ("CreateEndpointConfig", "/ProductionVariants/0/InitialVariantWeight", vec![json!(0), json!(f32::MAX)]),
        (
            "CreateEndpointConfig",
            "/ProductionVariants/1/ServerlessConfig/MemorySizeInMB",
            vec![json!(1024), json!(6144)],
        ),
        ("ListEndpoints", "/MaxResults", vec![json!(1), json!(100), Value::Null]),
        ("ListEndpoints", "/CreationTimeBefore", vec![json!(0), json!("2023-06-09T07:08:49Z")]),
        ("ListEndpoints", "/StatusEquals", vec![json!("Creating"), json!("UpdateRollbackFailed")]),
    ] {
        for value in values {
            assert_eq!(with(operation, pointer, &value), Ok(()), "{pointer} = {value}");
        }
    }
}

fn assert_fault(operation: &str, pointer: &str, value: &Value, fault: &str) {
    let message = with(operation, pointer, value).expect_err(pointer);
    let (value, constraint) = fault.split_once(": ").expect("is a value with a place, and a constraint");
    let expected = format!(
        "1 validation error detected: Value {value} failed to satisfy constraint: Member must {constraint}"
    );
    assert_eq!(message, expected);
}

#[test]
fn limits_are_told_with_place_and_value() {
    let variables = |n| (0..n).map(|i| (format!("V{i}"), json!("x"))).collect::<Value>();
    for (operation, pointer, value, fault) in [
        (
            "CreateModel",
            "/PrimaryContainer/Environment",
            variables(101),
            "'(not shown)' at 'primaryContainer.environment': have length less than or equal to 100",
        ),
        (
            "CreateModel",
            "/VpcConfig/Subnets",
            json!([]),
            "'[]' at 'vpcConfig.subnets': have length greater than or equal to 1",
        ),
        (
            "CreateModel",
            "/VpcConfig/Subnets",
            json!(vec![""; 17]),
            "'(not shown)' at 'vpcConfig.subnets': have length less than or equal to 16",
        ),
        (
            "CreateModel",
            "/Tags/0/Key",
            json!(""),
            "'' at 'tags.1.member.key': have length greater than or equal to 1",
        ),
        (
            "CreateEndpointConfig",
            "/ProductionVariants/0/InitialInstanceCount",
            json!(0),
            "'0' at 'productionVariants.1.member.initialInstanceCount': have value greater than or equal to 1",
        ),
        (
            "CreateEndpointConfig",
            "/ProductionVariants/0/InitialInstanceCount",
            json!(u64::MAX),
            "'18446744073709551615' at 'productionVariants.1.member.initialInstanceCount': \
             have value less than or equal to 9223372036854775807",
        ),
        (
            "CreateEndpointConfig",
            "/ProductionVariants/0/InitialVariantWeight",
            json!(-0.5),
            "'-0.5' at 'productionVariants.1.member.initialVariantWeight': have value greater than or equal to 0",
        ),
        (
            "CreateEndpointConfig",
            "/ProductionVariants/0/InitialVariantWeight",
            json!(1e39),
            "'1e+39' at 'productionVariants.1.member.initialVariantWeight': \
             have value less than or equal to 340282346638528860000000000000000000000",
        ),
        (
            "ListEndpoints",
            "/MaxResults",
            json!(101),
            "'101' at 'maxResults': have value less than or equal to 100",
        ),
    ] {
        assert_fault(operation, pointer, &value, fault);
    }
    let two = with("CreateModel", "/ModelName", &json!("-".repeat(64))).expect_err("is refused");
    assert!(
        two.starts_with("2 validation errors detected: ") && two.contains("less than or equal to 63"),
        "{two}"
    );
}

#[test]
fn patterns_words_and_nulls_are_told() {
    for (operation, pointer, value, fault) in [
        (
            "CreateModel",
            "/ModelName",
            json!("a-"),
            r"'a-' at 'modelName': satisfy regular expression pattern: [a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?",
        ),
        (
            "CreateModel",
            "/ModelName",
            json!("a\n"),
            r"'a\n' at 'modelName': satisfy regular expression pattern: [a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?",
        ),
        ("CreateModel", "/ModelName", Value::Null, "null at 'modelName': not be null"),
        (
            "CreateModel",
            "/PrimaryContainer/Mode",
            json!("multimodel"),
            "'multimodel' at 'primaryContainer.mode': satisfy enum value set: [SingleModel, MultiModel]",
        ),
        (
            "CreateModel",
            "/PrimaryContainer/ImageConfig/RepositoryAccessMode",
            Value::Null,
            "null at 'primaryContainer.imageConfig.repositoryAccessMode': not be null",
        ),
        ("CreateModel", "/VpcConfig/Subnets/0", Value::Null, "null at 'vpcConfig.subnets.1.member': not be null"),
        (
            "CreateModel",
            "/PrimaryContainer/Environment/A",
            Value::Null,
            "null at 'primaryContainer.environment.A': not be null",
        ),
        (
            "CreateEndpointConfig",
            "/ExplainerConfig/ClarifyExplainerConfig/EnableExplanations",
            json!("a\u{2028}b"),
            "'a\u{2028}b' at 'explainerConfig.clarifyExplainerConfig.enableExplanations': \
             satisfy regular expression pattern: .*",
        ),
        (
            "CreateEndpointConfig",
            "/ExplainerConfig/ClarifyExplainerConfig/ShapConfig/ShapBaselineConfig",
            Value::Null,
            "null at 'explainerConfig.clarifyExplainerConfig.shapConfig.shapBaselineConfig': not be null",
        ),
        (
            "ListEndpoints",
            "/SortBy",
            json!("x"),
            "'x' at 'sortBy': satisfy enum value set: [Name, CreationTime, Status]",
        ),
    ] {
        assert_fault(operation, pointer, &value, fault);
    }
}

#[test]
fn values_of_another_kind_are_told() {
    for (operation, pointer, value, told, kinds) in [
        (
            "CreateModel",
            "/ModelName",
            json!(7),
            "'7' at 'modelName'",
            "NUMBER_VALUE can not be converted to a String",
        ),
        (
            "CreateModel",
            CONTAINER,
            json!("x"),
            "'(not shown)' at 'primaryContainer'",
            "STRING_VALUE can not be converted to a Structure",
        ),
        (
            "CreateModel",
            "/PrimaryContainer/Environment",
            json!([]),
            "'[]' at 'primaryContainer.environment'",
            "LIST_VALUE can not be converted to a Map",
        ),
        ("CreateModel", "/Tags", json!({}), "'{}' at 'tags'", "STRUCTURE_VALUE can not be converted to a List"),
        (
            "CreateModel",
            "/EnableNetworkIsolation",
            json!("true"),
            "'true' at 'enableNetworkIsolation'",
            "STRING_VALUE can not be converted to a Boolean",
        ),
        (
            "ListEndpoints",
            "/MaxResults",
            json!(7.0),
            "'7.0' at 'maxResults'",
            "DECIMAL_VALUE can not be converted to an Integer",
        ),
        (
            "ListEndpoints",
            "/CreationTimeAfter",
            json!("today"),
            "'today' at 'creationTimeAfter'",
            "STRING_VALUE can not be converted to a Timestamp",
        ),
        (
            "UpdateEndpointWeightsAndCapacities",
            "/DesiredWeightsAndCapacities/0/DesiredWeight",
            json!("NaN"),
            "'NaN' at 'desiredWeightsAndCapacities.1.member.desiredWeight'",
            "STRING_VALUE can not be converted to a Float",
        ),
    ] {
        let message = with(operation, pointer, &value).expect_err(pointer);
        let expected = format!("1 validation error detected: Value {told} failed to satisfy constraint: {kinds}");
        assert_eq!(message, expected);
    }
}

#[test]
fn all_faults_are_told_at_once_and_unknown_members_by_name() {
    let input = json!({
        "Endpointname": "e",
        "ProductionVariants": [{"VariantName": "a"}, {"ModelName": "-", "Weight": 1}],
        "DataCaptureConfig": null,
    });
    let message = check_value("CreateEndpointConfig", &input).expect_err("is refused");
    assert!(message.starts_with("5 validation errors detected: "), "{message}");
    for part in [
        "null at 'endpointConfigName' failed",
        "null at 'productionVariants.2.member.variantName' failed",
        "'-' at 'productionVariants.2.member.modelName' failed",
        "'(not shown)' at 'productionVariants.2.member.Weight' failed to satisfy constraint: Member must have one of \
         the names [AcceleratorPartitionLayouts, ",
        "'(not shown)' at 'Endpointname' failed to satisfy constraint: Member must have one of the names \
         [AsyncInferenceConfig, ",
    ] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
}

#[test]
fn keys_and_values_of_variables_are_checked() {
    let environment = json!({"1A": "x", "B": "y".repeat(1025), "C": 1});
    let message = with("CreateModel", "/PrimaryContainer/Environment", &environment).expect_err("is refused");
    let at = |name: &str| {
        format!("Value '(not shown)' at 'primaryContainer.environment.{name}' failed to satisfy constraint: ")
    };
    let expected = [
        at("1A")
            + "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z_][a-zA-Z0-9_]*]",
        at("B") + "Member must have length less than or equal to 1024",
        at("C") + "NUMBER_VALUE can not be converted to a String",
    ];
    assert_eq!(message, format!("3 validation errors detected: {}", expected.join("; ")));
}

#[test]
fn faults_show_no_secrets() {
    let signed = json!("http://user:SECRET@host/file?X-Amz-Signature=SECRET");
    for (operation, pointer, value) in [
        ("CreateModel", "/PrimaryContainer/Environment", json!("TOKEN=SECRET")),
        ("CreateModel", "/PrimaryContainer/Environment", json!(["TOKEN=SECRET"])),
        ("CreateModel", "/PrimaryContainer/Environment/A", json!("SECRET".repeat(200))),
        ("CreateModel", "/PrimaryContainer/Environment/A", json!({"SECRET": "SECRET"})),
        ("CreateModel", "/PrimaryContainer/Enviroment", json!({"TOKEN": "SECRET"})),
        ("CreateModel", CONTAINER, json!([{"Environment": {"TOKEN": "SECRET"}}])),
        ("CreateModel", "/Containers", json!({"Environment": {"TOKEN": "SECRET"}})),
        ("CreateModel", "/PrimaryContainer/ModelDataUrl", signed.clone()),
        ("CreateEndpointConfig", &format!("{SHAP}/ShapBaselineConfig/ShapBaseline"), json!("SECRET".repeat(999))),
        ("CreateEndpointConfig", &format!("{SHAP}/ShapBaselineConfig/ShapBaselineUri"), signed),
    ] {
        let message = with(operation, pointer, &value).expect_err(pointer);
        assert!(!message.contains("SECRET"), "{message}");
    }
}

#[test]
fn local_files_and_new_instance_types_are_admitted_besides() {
    let model = format!("{CONTAINER}/ModelDataUrl");
    let baseline = format!("{SHAP}/ShapBaselineConfig/ShapBaselineUri");
    let instance = format!("{VARIANT}/InstanceType");
    let location =
        |pointer: &str, text: &str, is_admitted: bool| (pointer.to_owned(), text.to_owned(), is_admitted);
    for (pointer, text, is_admitted) in [
        location(&model, "folder/model.json", true),
        location(&model, "/opt/model.json", true),
        location(&model, "file:///opt/model.json", true),
        location(&model, "http://host/model.json", false),
        location(&model, "s3:///key", false),
        location(&baseline, "baseline.csv", true),
        location(&baseline, "ftp://host/baseline.csv", false),
        location(&instance, "ml.m5.xlarge", true),
        location(&instance, "ml.m99-new.48xlarge", true),
        location(&instance, "m5.xlarge", false),
        location(&instance, "ml.m5", false),
        location(&instance, "ml.m5.", false),
        location(&instance, "ml..large", false),
        location(&instance, "ml.m5.x.large", false),
        location(&instance, "ml.M5.large", false),
        location(&instance, &format!("ml.m5.{}", "x".repeat(58)), true),
        location(&instance, &format!("ml.m5.{}", "x".repeat(59)), false),
    ] {
        let operation = if pointer == model { "CreateModel" } else { "CreateEndpointConfig" };
        assert_eq!(with(operation, &pointer, &json!(text)).is_ok(), is_admitted, "{text}");
    }
}

#[test]
fn patterns_without_look_around_mean_what_they_meant() {
    let last = |name: &str| name.repeat(63);
    for (shape, text, is_admitted) in [
        ("AlarmName", "a", true),
        ("AlarmName", " a ", true),
        ("AlarmName", " \t", false),
        ("AlarmName", "a\nb", false),
        ("MetricsEndpointPath", "/metrics/a.b", true),
        ("MetricsEndpointPath", "/.", true),
        ("MetricsEndpointPath", "/a../b", false),
        ("MetricsEndpointPath", "/", false),
        ("VersionedArnOrName", "a-b/1", true),
        ("VersionedArnOrName", &last("a"), true),
        ("VersionedArnOrName", "a-", false),
        ("VersionedArnOrName", "a-/1", false),
        ("VersionedArnOrName", "arn:aws:sagemaker:eu-west-1:123456789012:model-package/a/1", true),
        ("VersionedArnOrName", "arn:aws:sagemaker:eu-west-1:123456789012:model-package/a-", false),
        ("RoleArn", "arn:aws:iam::123456789012:role/r", true),
        ("RoleArn", "arn:aws:iam::12345678901٢:role/r", false),
    ] {
        let Shape::String(found) = MODEL.shape(shape) else { panic!("{shape} is no text") };
        let pattern = found.pattern.as_ref().expect("has a pattern");
        assert_eq!(pattern.admits(text), is_admitted, "{text:?} as {shape}");
    }
}

#[test]
fn no_shape_holds_itself_and_every_pattern_compiles() {
    fn visit<'a>(name: &'a str, above: &mut Vec<&'a str>) {
        assert!(!above.contains(&name), "{name} holds itself: {above:?}");
        above.push(name);
        match MODEL.shape(name) {
            Shape::Structure(structure) => structure.members.values().for_each(|shape| visit(shape, above)),
            Shape::List { member, .. } => visit(member, above),
            Shape::Map { key, value, .. } => [key, value].into_iter().for_each(|shape| visit(shape, above)),
            Shape::String(text) => {
                let _ = text.pattern.as_ref().map(|pattern| pattern.admits(""));
            }
            Shape::Integer(_) | Shape::Float(_) | Shape::Boolean | Shape::Timestamp => {}
        }
        above.pop();
    }
    assert_eq!(operations().count(), 17);
    for shape in MODEL.operations.values() {
        visit(shape, &mut Vec::new());
    }
}
