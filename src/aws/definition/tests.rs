//! Whole definitions, and all their faults together.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::{Kernel, SampledEstimator};
use crate::endpoints::{
    Baseline, BaselineSource, ExplainerSetup, FeatureType, Granularity, ModelSource, TextSetup,
};
use crate::model::container::Protocol;
use crate::records::Format;
use crate::shap::{Link, Method};

fn read_value(definition: &Value) -> Result<Setup, String> {
    read(definition.to_string().as_bytes(), Path::new("folder"), Kernel::Shapley).map_err(|e| e.to_string())
}

fn definition(container: Value, config: Value) -> Value {
    json!({"EndpointName": "e", "PrimaryContainer": container, "ExplainerConfig": config})
}

fn config() -> Value {
    json!({"ClarifyExplainerConfig": {"ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": "0"}}}})
}

#[test]
fn every_member_has_its_place() {
    let config = json!({"ClarifyExplainerConfig": {
        "EnableExplanations": "[0] > `0.5`",
        "InferenceConfig": {
            "FeaturesAttribute": "x.features", "ContentTemplate": "{\"x\":$features}", "MaxRecordCount": 7,
            "MaxPayloadInMB": 2, "ProbabilityIndex": 0, "LabelIndex": 1, "ProbabilityAttribute": "p",
            "LabelAttribute": "l", "LabelHeaders": ["yes"], "FeatureHeaders": ["a", "b", "c"],
            "FeatureTypes": ["numerical", "categorical", "text"],
        },
        "ShapConfig": {
            "ShapBaselineConfig": {"MimeType": "application/jsonlines", "ShapBaseline": "[1,2,\"\"]"},
            "NumberOfSamples": 100, "UseLogit": true, "Seed": -5,
            "TextConfig": {"Granularity": "sentence", "Language": "lij"},
        },
    }});
    let expected = ExplainerSetup {
        kernel: Kernel::Shapley,
        estimator: SampledEstimator::KernelShap,
        baseline: Baseline { source: BaselineSource::Inline("[1,2,\"\"]".into()), format: Format::JsonLines },
        number_of_samples: Some(100),
        seed: -5,
        link: Link::Logit,
        filter: Some("[0] > `0.5`".into()),
        features_attribute: Some("x.features".into()),
        content_template: Some("{\"x\":$features}".into()),
        max_record_count: Some(7),
        max_payload_bytes: 2 << 20,
        probability_index: Some(0),
        label_index: Some(1),
        probability_attribute: Some("p".into()),
        label_attribute: Some("l".into()),
        feature_headers: Some(vec!["a".into(), "b".into(), "c".into()]),
        label_headers: Some(vec!["yes".into()]),
        feature_types: Some(vec![FeatureType::Numerical, FeatureType::Categorical, FeatureType::Text]),
        text: Some(TextSetup { granularity: Granularity::Sentence, language: "lij".into() }),
        config: config.clone(),
    };
    let setup = read_value(&definition(json!({"ModelDataUrl": "m"}), config)).expect("is a definition");
    assert_eq!(format!("{:?}", setup.explainer), format!("{:?}", Some(expected)));
}

/// Recorded configurations: of the SDK's integration test and of the three notebooks.
#[test]
fn recorded_configurations_are_read_and_kept_as_they_were_given() {
    for clarify in [
        json!({"EnableExplanations": "`true`", "ShapConfig": {
            "ShapBaselineConfig": {"MimeType": "text/csv", "ShapBaseline": "1,2,3,4,5,6,7"}, "UseLogit": false}}),
        json!({"EnableExplanations": "`true`",
            "InferenceConfig": {"FeaturesAttribute": "features", "ContentTemplate": "{\"features\":$features}",
                "ProbabilityAttribute": "score", "LabelAttribute": "predicted_label", "MaxPayloadInMB": 6},
            "ShapConfig": {"ShapBaselineConfig": {"MimeType": "text/csv",
                "ShapBaseline": "25, 2, 226802, 1, 7, 4, 6, 3, 2, 1, 0, 0, 40, 37"}, "UseLogit": false}}),
        json!({"InferenceConfig": {"FeatureHeaders": ["Age", "Workclass", "fnlwgt", "Education", "Education-Num",
                "Marital Status", "Occupation", "Relationship", "Ethnic group", "Sex", "Capital Gain",
                "Capital Loss", "Hours per week", "Country"]},
            "ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": "38.76832669322709,2.2148738379814077,\
                189616.37025232404,10.272377158034528,10.112749003984064,2.5952855245683932,5.989043824701195,\
                1.401394422310757,3.6836653386454183,0.6737715803452855,1120.301593625498,89.04189907038513,\
                40.951593625498006,35.4675962815405"}}}),
        json!({"InferenceConfig": {"FeatureTypes": ["text"]}, "ShapConfig": {
            "ShapBaselineConfig": {"ShapBaseline": "<UNK>"},
            "TextConfig": {"Language": "en", "Granularity": "sentence"}}}),
        json!({"InferenceConfig": {"FeatureHeaders": ["YEAR_BUILT", "SQUARE_FEET", "NUM_BEDROOMS",
                "NUM_BATHROOMS", "LOT_ACRES", "GARAGE_SPACES"]},
            "ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": "1995,3000,4,2,1,2"}}}),
    ] {
        let config = json!({"ClarifyExplainerConfig": clarify});
        let setup =
            read_value(&definition(json!({"ModelDataUrl": "m"}), config.clone())).expect("is a definition");
        assert_eq!(setup.explainer.expect("explains").config, config);
    }
}

#[test]
fn without_an_explainer_answers_are_passed_through() {
    for config in [Value::Null, json!({}), json!({"ClarifyExplainerConfig": null})] {
        let setup = read_value(&definition(json!({"ModelDataUrl": "m"}), config)).expect("is a definition");
        assert!(setup.explainer.is_none());
    }
}

#[test]
fn the_first_place_that_names_a_model_wins() {
    let (image, file) = ("http://image:1/", "model.json");
    for (container, expected) in [
        (json!({"ModelDataUrl": file}), "File(\"folder/model.json\")"),
        (
            json!({"ModelDataUrl": file, "Image": "0.dkr.ecr.eu-west-1.amazonaws.com/xgboost:1.5-1"}),
            "File(\"folder/model.json\")",
        ),
        (json!({"ModelDataUrl": "s3://bucket/m", "Image": image}), "Container(\"http://image:1\")"),
        (
            json!({"ModelDataUrl": "s3://bucket/m", "Image": "http://image/path",
                "Environment": {"EXPLAIND_CONTAINER_URL": "https://variable"}}),
            "Container(\"https://variable\")",
        ),
        (
            json!({"Environment": {"EXPLAIND_CONTAINER_URL": "http://[::1]:8080/"}}),
            "Container(\"http://[::1]:8080\")",
        ),
    ] {
        let setup = read_value(&definition(container, config())).expect("is a definition");
        let model = match setup.model {
            ModelSource::Container(source) => format!("Container({:?})", source.url),
            other => format!("{other:?}"),
        };
        assert_eq!(model, expected);
    }
}

#[test]
fn an_endpoint_of_many_models_has_a_container_or_a_folder() {
    let models = |container: Value| match read_value(&definition(container, config())).expect("reads").model {
        ModelSource::Container(source) => format!("container {:?}", source.models),
        other => format!("{other:?}"),
    };
    let many = |location: Value, image: Value| {
        models(json!({"Mode": "MultiModel", "ModelDataUrl": location, "Image": image}))
    };
    let absolute = std::path::absolute("folder/models").expect("is absolute").display().to_string();
    let image = json!("http://image:1");
    for (location, expected) in [
        (Value::Null, "container Some(\"\")".to_owned()),
        (json!("models"), format!("container Some(\"{absolute}/\")")),
        (json!("file:models/"), format!("container Some(\"{absolute}/\")")),
        (json!("/opt/models//"), "container Some(\"/opt/models/\")".to_owned()),
        (json!("/"), "container Some(\"/\")".to_owned()),
        (json!("s3://bucket/a"), "container Some(\"s3://bucket/a/\")".to_owned()),
        (json!("https://host/a/"), "container Some(\"https://host/a/\")".to_owned()),
    ] {
        assert_eq!(many(location, image.clone()), expected);
    }
    assert_eq!(many(json!("models"), Value::Null), "Folder(\"folder/models\")");
    assert_eq!(models(json!({"Mode": "SingleModel", "Image": image, "ModelDataUrl": "m"})), "container None");
}

#[test]
fn an_image_of_a_registry_can_stand_for_a_running_container() {
    let containers = ContainerMap::read(&["*/xgboost:*=http://mapped:8080".to_owned()]).expect("is a map");
    let defaults = Defaults { containers, ..Defaults::default() };
    for (container, expected) in [
        (json!({"Image": "0.dkr.ecr/xgboost:1", "ModelDataUrl": "m"}), Some("http://mapped:8080")),
        (json!({"Image": "0.dkr.ecr/linear:1", "ModelDataUrl": "m"}), None),
        (json!({"Image": "http://image/xgboost:1"}), None),
        (
            json!({"Image": "0.dkr.ecr/xgboost:1", "Environment": {"EXPLAIND_CONTAINER_URL": "http://variable"}}),
            Some("http://variable"),
        ),
    ] {
        let definition = definition(container, config()).to_string();
        let setup = read(definition.as_bytes(), Path::new(""), defaults.clone()).ok();
        let url = setup.and_then(|setup| match setup.model {
            ModelSource::Container(source) => Some(source.url),
            _ => None,
        });
        assert_eq!(url.as_deref(), expected);
    }
}

#[test]
fn the_environment_of_an_endpoint_wins_over_the_flag() {
    use {Kernel::*, SampledEstimator::*};
    for (environment, flags, expected) in [
        (json!({"EXPLAIND_KERNEL": "clarify"}), (Shapley, KernelShap), (Clarify, KernelShap)),
        (json!({"EXPLAIND_KERNEL": "shapley"}), (Clarify, KernelShap), (Shapley, KernelShap)),
        (json!({"EXPLAIND_ESTIMATOR": "trend"}), (Shapley, KernelShap), (Shapley, Trend)),
        (json!({"EXPLAIND_ESTIMATOR": "kernel-shap"}), (Clarify, Trend), (Clarify, KernelShap)),
        (json!({"OTHER": "x"}), (Clarify, Trend), (Clarify, Trend)),
    ] {
        let definition = definition(json!({"ModelDataUrl": "m", "Environment": environment}), config());
        let method = Method { kernel: flags.0, estimator: flags.1 };
        let defaults = Defaults { method, ..Defaults::default() };
        let setup = read(definition.to_string().as_bytes(), Path::new(""), defaults).expect("is a definition");
        let explainer = setup.explainer.expect("explains");
        assert_eq!((explainer.kernel, explainer.estimator), expected);
    }
}

#[test]
fn a_container_is_asked_in_the_protocol_of_its_environment() {
    let v2 = |model: &str, output: Option<&str>| Protocol::OpenInference {
        model: model.to_owned(),
        output: output.map(str::to_owned),
    };
    for (environment, expected) in [
        (json!({}), Protocol::SageMaker),
        (json!({"EXPLAIND_PROTOCOL": "sagemaker"}), Protocol::SageMaker),
        (json!({"EXPLAIND_PROTOCOL": "mlflow"}), Protocol::MlFlow),
        (json!({"EXPLAIND_PROTOCOL": "v2", "EXPLAIND_V2_MODEL": "iris"}), v2("iris", None)),
        (
            json!({"EXPLAIND_PROTOCOL": "v2", "EXPLAIND_V2_MODEL": "iris/versions/3", "EXPLAIND_V2_OUTPUT": "p:0"}),
            v2("iris/versions/3", Some("p:0")),
        ),
    ] {
        let image = json!({"Image": "http://host", "Environment": environment});
        let mut variable = environment;
        variable["EXPLAIND_CONTAINER_URL"] = "http://host".into();
        for container in [image, json!({"Environment": variable})] {
            let setup = read_value(&definition(container, config())).expect("is a definition");
            let ModelSource::Container(source) = setup.model else { panic!("is a container") };
            assert_eq!((source.url.as_str(), &source.protocol), ("http://host", &expected));
        }
    }
}

#[test]
fn protocols_that_do_not_fit_are_refused() {
    let in_place = "primaryContainer.environment";
    for (image, environment, faults) in [
        (
            "http://host",
            json!({"EXPLAIND_PROTOCOL": "v1"}),
            vec![
                "'v1' at 'ENV.EXPLAIND_PROTOCOL' failed to satisfy constraint: Member must satisfy enum value set: \
             [sagemaker, mlflow, v2]",
            ],
        ),
        (
            "http://host",
            json!({"EXPLAIND_PROTOCOL": "v2", "EXPLAIND_V2_OUTPUT": ""}),
            vec![
                "'' at 'ENV.EXPLAIND_V2_OUTPUT' failed to satisfy constraint: Member must have length greater than or \
             equal to 1",
                "null at 'ENV.EXPLAIND_V2_MODEL' failed to satisfy constraint: Member must not be null when \
             EXPLAIND_PROTOCOL is v2",
            ],
        ),
        (
            "http://host",
            json!({"EXPLAIND_PROTOCOL": "v2", "EXPLAIND_V2_MODEL": "../x"}),
            vec!["'../x' at 'ENV.EXPLAIND_V2_MODEL' failed to satisfy constraint: Member must satisfy regular"],
        ),
        (
            "http://host",
            json!({"EXPLAIND_PROTOCOL": "mlflow", "EXPLAIND_V2_MODEL": "a", "EXPLAIND_V2_OUTPUT": "b"}),
            vec![
                "'a' at 'ENV.EXPLAIND_V2_MODEL' failed to satisfy constraint: Member must be null, unless \
                 EXPLAIND_PROTOCOL is v2",
                "'b' at 'ENV.EXPLAIND_V2_OUTPUT' failed to satisfy constraint: Member must be null, unless \
                 EXPLAIND_PROTOCOL is v2",
            ],
        ),
        (
            "http://host",
            json!({"EXPLAIND_V2_OUTPUT": "b"}),
            vec!["'b' at 'ENV.EXPLAIND_V2_OUTPUT' failed to satisfy constraint: Member must be null, unless"],
        ),
        (
            "repository/image:1",
            json!({"EXPLAIND_PROTOCOL": "mlflow"}),
            vec![
                "'mlflow' at 'ENV.EXPLAIND_PROTOCOL' failed to satisfy constraint: Member must be null, unless \
             EXPLAIND_CONTAINER_URL or Image is the URL of a running container",
            ],
        ),
    ] {
        let container = json!({"ModelDataUrl": "m", "Image": image, "Environment": environment});
        let message = read_value(&definition(container, config())).expect_err("is refused");
        let told = format!("{} validation error", faults.len());
        assert!(message.starts_with(&told), "{message}");
        for fault in faults {
            assert!(message.contains(&fault.replace("ENV", in_place)), "{fault} is not in {message}");
        }
    }
}

#[test]
fn only_sagemaker_containers_hold_many_models() {
    for (environment, is_taken) in [
        (json!({"EXPLAIND_PROTOCOL": "sagemaker"}), true),
        (json!({"EXPLAIND_PROTOCOL": "mlflow"}), false),
        (json!({"EXPLAIND_PROTOCOL": "v2", "EXPLAIND_V2_MODEL": "m"}), false),
    ] {
        let container = json!({"Image": "http://host", "Mode": "MultiModel", "Environment": environment});
        let told = read_value(&definition(container, config())).err();
        let fault = "1 validation error detected: Value 'MultiModel' at 'primaryContainer.mode' failed to satisfy \
                     constraint: Member must be SingleModel, unless EXPLAIND_PROTOCOL is sagemaker";
        assert_eq!(told.as_deref(), Some(fault).filter(|_| !is_taken));
    }
}

#[test]
fn all_faults_of_a_definition_are_told_together() {
    let definition = json!({
        "EndpointName": "-",
        "Tags": [],
        "PrimaryContainer": {"Mode": "MultiModel", "Environment": {"A": 1, "EXPLAIND_KERNAL": "shapley"}},
        "ExplainerConfig": {"ClarifyExplainerConfig": {
            "EnableExplanation": "`true`",
            "InferenceConfig": {"MaxPayloadInMB": 26, "LabelHeaders": ["a", ""]},
            "ShapConfig": {"ShapBaselineConfig": {}, "Seed": "1", "TextConfig": {"Granularity": "token"}},
        }},
    });
    let message = read_value(&definition).expect_err("is refused");
    assert!(message.starts_with("11 validation errors detected: "), "{message}");
    let clarify = "explainerConfig.clarifyExplainerConfig";
    for place in [
        "'-' at 'endpointName'",
        "'(not shown)' at 'primaryContainer.environment.A'",
        "'shapley' at 'primaryContainer.environment.EXPLAIND_KERNAL'",
        "null at 'primaryContainer.modelDataUrl'",
        "'26' at 'CLARIFY.inferenceConfig.maxPayloadInMB'",
        "'' at 'CLARIFY.inferenceConfig.labelHeaders.2.member'",
        "null at 'CLARIFY.shapConfig.shapBaselineConfig.shapBaseline'",
        "'1' at 'CLARIFY.shapConfig.seed'",
        "null at 'CLARIFY.shapConfig.textConfig.language'",
        "'`true`' at 'CLARIFY.EnableExplanation'",
    ] {
        let place = format!("Value {}", place.replace("CLARIFY", clarify));
        assert!(message.contains(&place), "{place} is not in {message}");
    }
    let known = "at 'Tags' failed to satisfy constraint: \
        Member must have one of the names [EndpointName, PrimaryContainer, ExplainerConfig]";
    assert!(message.ends_with(known), "{message}");
}

#[test]
fn faults_show_no_secrets() {
    let uri = "https://user:SECRET@host/rows.csv?X-Amz-Signature=SECRET";
    let baseline = json!({"ShapBaseline": "0", "ShapBaselineUri": uri});
    let config = json!({"ClarifyExplainerConfig": {"ShapConfig": {"ShapBaselineConfig": baseline}}});
    let long = "SECRET".repeat(200);
    let container = json!({"ModelDataUrl": "m", "Environment": {"TOKEN": long}});
    let message = read_value(&definition(container, config)).expect_err("is refused");
    assert!(message.contains("https://host/rows.csv'") && message.contains("environment.TOKEN"), "{message}");
    assert!(!message.contains("SECRET"), "{message}");
}

#[test]
fn a_refused_place_of_the_model_is_one_fault() {
    for container in [
        json!({}),
        json!({"ModelDataUrl": ""}),
        json!({"ModelDataUrl": 7}),
        json!({"ModelDataUrl": "gs://bucket/m"}),
        json!({"ModelDataUrl": "https://host/m", "Mode": "MultiModel"}),
        json!({"Mode": "MultiModel"}),
        json!({"Image": "http://host/path"}),
        json!({"Environment": {"EXPLAIND_CONTAINER_URL": "host:8080"}}),
        json!({"ModelDataUrl": "m", "Environment": "A=1"}),
    ] {
        let message = read_value(&definition(container.clone(), config())).expect_err("is refused");
        assert!(message.starts_with("1 validation error "), "{container}: {message}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "(s3|http|file|EXPLAIND_)[:/@a-z\\[\\]]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[A-Za-zé_]{0,6}", inner, 0..4)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

const MEMBERS: &[&str] = &[
    "/EndpointName",
    "/PrimaryContainer",
    "/PrimaryContainer/Image",
    "/PrimaryContainer/ModelDataUrl",
    "/PrimaryContainer/Environment",
    "/PrimaryContainer/Environment/EXPLAIND_CONTAINER_URL",
    "/ExplainerConfig",
    "/ExplainerConfig/ClarifyExplainerConfig",
    "/ExplainerConfig/ClarifyExplainerConfig/InferenceConfig",
    "SHAP",
    "SHAP/Seed",
    "SHAP/TextConfig",
    "SHAP/ShapBaselineConfig",
    "SHAP/ShapBaselineConfig/MimeType",
    "SHAP/ShapBaselineConfig/ShapBaselineUri",
];

proptest! {
    #[test]
    fn bytes_of_any_kind_are_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = read(&bytes, Path::new(""), Kernel::Shapley);
    }

    #[test]
    fn any_json_at_any_place_is_an_answer(value in any_json(), member in prop::sample::select(MEMBERS)) {
        let mut definition = definition(json!({"ModelDataUrl": "m", "Environment": {}}), config());
        let member = member.replace("SHAP", "/ExplainerConfig/ClarifyExplainerConfig/ShapConfig");
        let (place, name) = member.rsplit_once('/').expect("is a pointer");
        definition.pointer_mut(place).expect("is there")[name] = value;
        if let Err(message) = read_value(&definition) {
            prop_assert!(!message.starts_with('0') && !message.contains('\n'), "{message}");
        }
    }
}
