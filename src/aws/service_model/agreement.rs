//! Definition files spell their limits where their members are read: these are those of the service model.

use serde_json::{Value, json};

use super::*;
use crate::aws::definition;
use crate::config::Kernel;

const INFERENCE: &str = "/ExplainerConfig/ClarifyExplainerConfig/InferenceConfig";
const SHAP: &str = "/ExplainerConfig/ClarifyExplainerConfig/ShapConfig";
const BASELINE: &str = "/ExplainerConfig/ClarifyExplainerConfig/ShapConfig/ShapBaselineConfig";
const TEXT: &str = "/ExplainerConfig/ClarifyExplainerConfig/ShapConfig/TextConfig";

/// A definition, with another value at a place.
fn definition(place: &str, member: &str, value: &Value) -> Value {
    let mut definition = json!({
        "EndpointName": "e",
        "PrimaryContainer": {"ModelDataUrl": "m", "Environment": {}},
        "ExplainerConfig": {"ClarifyExplainerConfig": {"InferenceConfig": {}, "ShapConfig": {
            "ShapBaselineConfig": {"ShapBaseline": "0"},
            "TextConfig": {"Granularity": "token", "Language": "en"},
        }}},
    });
    // A baseline has one place.
    if member == "ShapBaselineUri" {
        definition.pointer_mut(BASELINE).expect("is there")["ShapBaseline"] = Value::Null;
    }
    definition.pointer_mut(place).expect("is there")[member] = value.clone();
    definition
}

fn is_a_definition(definition: &Value) -> bool {
    definition::read(definition.to_string().as_bytes(), "".as_ref(), Kernel::Shapley).is_ok()
}

/// Whether the operations that make the same endpoint take it.
fn is_in_the_model(definition: &Value) -> bool {
    let create_model = json!({"ModelName": "m", "PrimaryContainer": definition["PrimaryContainer"]});
    let create_config = json!({
        "EndpointConfigName": definition["EndpointName"],
        "ProductionVariants": [{"VariantName": "v"}],
        "ExplainerConfig": definition["ExplainerConfig"],
    });
    [("CreateModel", create_model), ("CreateEndpointConfig", create_config)]
        .into_iter()
        .all(|(operation, input)| check(operation, input.as_object().expect("is an object")).is_ok())
}

fn values() -> Vec<Value> {
    let chars = |n: usize| "a".repeat(n);
    let mut values = vec![Value::Null, json!(true), json!({}), json!([]), json!([""]), json!(7.5), json!("a b")];
    values.extend(["a\nb", "a\u{2028}b", "text/csv", "text", "en", "ja", "token", "MultiModel"].map(Value::from));
    values.extend([-1, 0, 1, 25, 26, i64::MIN, i64::MAX].map(Value::from));
    values.extend([0, 1, 63, 64, 65, 255, 256, 1024, 1025, 4096, 4097].map(|n| chars(n).into()));
    values.extend([1, 16, 17, 256, 257].map(|n| json!(vec!["text"; n])));
    values.extend([json!([chars(64)]), json!([chars(65)]), json!(["a\nb"]), json!(["text", "numerical", null])]);
    values
}

#[test]
fn a_definition_file_takes_what_the_service_model_takes() {
    let (mut n_taken, mut n_refused, mut differ) = (0, 0, Vec::new());
    for (place, members) in [
        ("", vec!["EndpointName"]),
        ("/PrimaryContainer", vec!["Image", "Mode", "Environment"]),
        ("/PrimaryContainer/Environment", vec!["A"]),
        ("/ExplainerConfig/ClarifyExplainerConfig", vec!["EnableExplanations", "InferenceConfig", "ShapConfig"]),
        (INFERENCE, vec!["FeaturesAttribute", "ContentTemplate", "MaxRecordCount", "MaxPayloadInMB"]),
        (INFERENCE, vec!["ProbabilityIndex", "LabelIndex", "ProbabilityAttribute", "LabelAttribute"]),
        (INFERENCE, vec!["LabelHeaders", "FeatureHeaders", "FeatureTypes"]),
        (SHAP, vec!["ShapBaselineConfig", "NumberOfSamples", "UseLogit", "Seed", "TextConfig"]),
        (BASELINE, vec!["MimeType", "ShapBaseline", "ShapBaselineUri"]),
        (TEXT, vec!["Granularity", "Language"]),
    ] {
        for member in members {
            for value in values() {
                let definition = definition(place, member, &value);
                // What stands or falls with another member is beyond the model.
                let is_beyond = matches!(member, "ShapBaseline" | "ShapBaselineUri") && value.is_null()
                    || member == "ShapBaselineConfig" && value == json!({});
                if !is_beyond {
                    let is_taken = is_in_the_model(&definition);
                    differ
                        .extend((is_a_definition(&definition) != is_taken).then(|| format!("{member} = {value}")));
                    *if is_taken { &mut n_taken } else { &mut n_refused } += 1;
                }
            }
        }
    }
    assert!(differ.is_empty(), "{differ:?}");
    assert!(n_taken > 150 && n_refused > 500, "{n_taken} taken, {n_refused} refused");
}
