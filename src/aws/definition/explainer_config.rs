//! ExplainerConfig, in the words of CreateEndpointConfig → how an endpoint explains.
//! Expressions and templates are compiled later; files are read later.

use std::path::Path;

use super::location::local_path;
use super::members::Members;
use super::pattern;
use super::shape::{Boolean, Choice, Integer, List, Text, Word, one_of};
use crate::aws::headers::EXPRESSION_CHARS_MAX;
use crate::endpoints::{Baseline, BaselineSource, ExplainerSetup, FeatureType, Granularity, TextSetup};
use crate::records::Format;
use crate::shap::{Link, Method};

/// The seed of endpoints that name none: repeated calls agree.
const DEFAULT_SEED: i64 = 0;
const DEFAULT_PAYLOAD_MIB: usize = 6;

const EXPRESSION: Text = Text { chars: 1..=EXPRESSION_CHARS_MAX, pattern: pattern::LINE };
const TEMPLATE: Text = Text { chars: 1..=64, pattern: pattern::LINE };
const HEADER: Text = Text { chars: 1..=64, pattern: pattern::LINE };
const LABEL_HEADERS: List<Text> = List { count: 1..=16, element: HEADER };
const FEATURE_HEADERS: List<Text> = List { count: 1..=256, element: HEADER };
const FEATURE_TYPES: List<Choice<FeatureType>> = List { count: 1..=256, element: FEATURE_TYPE };
const FEATURE_TYPE: Choice<FeatureType> = Choice(&[
    ("numerical", FeatureType::Numerical),
    ("categorical", FeatureType::Categorical),
    ("text", FeatureType::Text),
]);
const RECORD_COUNT: Integer<usize> = Integer(1..=usize::MAX);
const PAYLOAD_MIB: Integer<usize> = Integer(1..=25);
const INDEX: Integer<usize> = Integer(0..=usize::MAX);
const SAMPLES: Integer<u64> = Integer(1..=u64::MAX);
const SEED: Integer<i64> = Integer(i64::MIN..=i64::MAX);
const MIME_TYPE: Text = Text { chars: 0..=255, pattern: pattern::MIME_TYPE };
const INLINE_BASELINE: Text = Text { chars: 1..=4096, pattern: pattern::NOT_EMPTY };
const BASELINE_URI: Text = Text { chars: 0..=1024, pattern: pattern::LOCATION };
const GRANULARITY: Choice<Granularity> = Choice(&[
    ("token", Granularity::Token),
    ("sentence", Granularity::Sentence),
    ("paragraph", Granularity::Paragraph),
]);
const LANGUAGE: Word = Word(&[
    "af", "sq", "ar", "hy", "eu", "bn", "bg", "ca", "zh", "hr", "cs", "da", "nl", "en", "et", "fi", "fr", "de",
    "el", "gu", "he", "hi", "hu", "is", "id", "ga", "it", "kn", "ky", "lv", "lt", "lb", "mk", "ml", "mr", "ne",
    "nb", "fa", "pl", "pt", "ro", "ru", "sa", "sr", "tn", "si", "sk", "sl", "es", "sv", "tl", "ta", "tt", "te",
    "tr", "uk", "ur", "yo", "lij", "xx",
]);

/// None without a ClarifyExplainerConfig. Paths are relative to `folder`.
pub fn read(config: &mut Members, method: Method, folder: &Path) -> Option<ExplainerSetup> {
    let setup = unset(method, config.to_value());
    config.structure("ClarifyExplainerConfig", |clarify| read_clarify(clarify, setup, folder))
}

/// What holds where a configuration says nothing. The baseline has no default; ShapBaselineConfig is required.
fn unset(method: Method, config: serde_json::Value) -> ExplainerSetup {
    ExplainerSetup {
        kernel: method.kernel,
        estimator: method.estimator,
        baseline: Baseline { source: BaselineSource::Inline(String::new()), format: Format::Csv },
        number_of_samples: None,
        seed: DEFAULT_SEED,
        link: Link::Identity,
        filter: None,
        features_attribute: None,
        content_template: None,
        max_record_count: None,
        max_payload_bytes: DEFAULT_PAYLOAD_MIB << 20,
        probability_index: None,
        label_index: None,
        probability_attribute: None,
        label_attribute: None,
        feature_headers: None,
        label_headers: None,
        feature_types: None,
        text: None,
        config,
    }
}

fn read_clarify(clarify: &mut Members, mut setup: ExplainerSetup, folder: &Path) -> ExplainerSetup {
    setup.filter = clarify.take("EnableExplanations", &EXPRESSION);
    clarify.structure("InferenceConfig", |inference| read_inference(inference, &mut setup));
    clarify.require("ShapConfig");
    clarify.structure("ShapConfig", |shap| read_shap(shap, &mut setup, folder));
    setup
}

fn read_inference(inference: &mut Members, setup: &mut ExplainerSetup) {
    setup.features_attribute = inference.take("FeaturesAttribute", &EXPRESSION);
    setup.content_template = inference.take("ContentTemplate", &TEMPLATE);
    setup.max_record_count = inference.take("MaxRecordCount", &RECORD_COUNT);
    setup.max_payload_bytes = inference.take("MaxPayloadInMB", &PAYLOAD_MIB).unwrap_or(DEFAULT_PAYLOAD_MIB) << 20;
    setup.probability_index = inference.take("ProbabilityIndex", &INDEX);
    setup.label_index = inference.take("LabelIndex", &INDEX);
    setup.probability_attribute = inference.take("ProbabilityAttribute", &EXPRESSION);
    setup.label_attribute = inference.take("LabelAttribute", &EXPRESSION);
    setup.label_headers = inference.take("LabelHeaders", &LABEL_HEADERS);
    setup.feature_headers = inference.take("FeatureHeaders", &FEATURE_HEADERS);
    setup.feature_types = inference.take("FeatureTypes", &FEATURE_TYPES);
    check_feature_types(inference, setup);
}

fn check_feature_types(inference: &mut Members, setup: &ExplainerSetup) {
    let Some(types) = &setup.feature_types else { return };
    if !types.contains(&FeatureType::Text) {
        inference.refuse("FeatureTypes", "Member must contain text; without text features it must be null");
    }
    let n_headers = setup.feature_headers.as_ref().map(Vec::len);
    if let Some(n_headers) = n_headers.filter(|&n_headers| n_headers != types.len()) {
        let constraint =
            format!("Member must have length {n_headers}, as FeatureHeaders has, not {}", types.len());
        inference.refuse("FeatureTypes", &constraint);
    }
}

fn read_shap(shap: &mut Members, setup: &mut ExplainerSetup, folder: &Path) {
    shap.require("ShapBaselineConfig");
    if let Some(baseline) =
        shap.structure("ShapBaselineConfig", |baseline| read_baseline(baseline, folder)).flatten()
    {
        setup.baseline = baseline;
    }
    setup.number_of_samples = shap.take("NumberOfSamples", &SAMPLES);
    if shap.take("UseLogit", &Boolean) == Some(true) {
        setup.link = Link::Logit;
    }
    setup.seed = shap.take("Seed", &SEED).unwrap_or(DEFAULT_SEED);
    setup.text = shap.structure("TextConfig", read_text).flatten();
    let has_text = setup.feature_types.iter().flatten().any(|&kind| kind == FeatureType::Text);
    if has_text && !shap.has("TextConfig") {
        shap.refuse("TextConfig", "Member must not be null when FeatureTypes contains text");
    }
}

fn read_baseline(baseline: &mut Members, folder: &Path) -> Option<Baseline> {
    let mime = baseline.take("MimeType", &MIME_TYPE);
    let format = mime.map_or(Some(Format::Csv), |mime| Format::from_mime(&mime));
    if format.is_none() {
        baseline.refuse("MimeType", &one_of(&[Format::Csv, Format::JsonLines].map(Format::mime)));
    }
    let inline = baseline.take("ShapBaseline", &INLINE_BASELINE).map(BaselineSource::Inline);
    let location = baseline.take("ShapBaselineUri", &BASELINE_URI).map(|uri| located(uri, folder));
    match (baseline.has("ShapBaseline"), baseline.has("ShapBaselineUri")) {
        (true, true) => baseline.refuse("ShapBaselineUri", "Member must be null when ShapBaseline is given"),
        (false, false) => baseline.refuse("ShapBaseline", "Member must not be null when ShapBaselineUri is null"),
        _ => {}
    }
    Some(Baseline { source: inline.or(location)?, format: format? })
}

fn located(uri: String, folder: &Path) -> BaselineSource {
    BaselineSource::Location(local_path(&uri, folder).map_or(uri, |path| path.to_string_lossy().into_owned()))
}

fn read_text(text: &mut Members) -> Option<TextSetup> {
    text.require("Granularity");
    text.require("Language");
    let (granularity, language) = (text.take("Granularity", &GRANULARITY), text.take("Language", &LANGUAGE));
    Some(TextSetup { granularity: granularity?, language: language? })
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::members;
    use super::*;

    const CLARIFY: &str = "/ClarifyExplainerConfig";
    const INFERENCE: &str = "/ClarifyExplainerConfig/InferenceConfig";
    const SHAP: &str = "/ClarifyExplainerConfig/ShapConfig";
    const BASELINE: &str = "/ClarifyExplainerConfig/ShapConfig/ShapBaselineConfig";
    const TEXT: &str = "/ClarifyExplainerConfig/ShapConfig/TextConfig";

    fn config() -> Value {
        let shap = json!({
            "ShapBaselineConfig": {"ShapBaseline": "0"},
            "TextConfig": {"Granularity": "token", "Language": "en"},
        });
        json!({"ClarifyExplainerConfig": {"InferenceConfig": {}, "ShapConfig": shap}})
    }

    fn read_value(config: &Value) -> Result<ExplainerSetup, String> {
        let values: &Map<String, Value> = config.as_object().expect("is an object");
        members::read(values, |config| read(config, Method::default(), Path::new("folder")))
            .map_err(|e| e.to_string())
    }

    fn with(place: &str, member: &str, value: &Value) -> Result<ExplainerSetup, String> {
        let mut config = config();
        config.pointer_mut(place).expect("is there")[member] = value.clone();
        read_value(&config)
    }

    #[test]
    fn bounds_belong_to_what_is_allowed() {
        let chars = |n| json!("é".repeat(n));
        let list = |n| json!(vec!["text"; n]);
        for (place, member, values) in [
            (CLARIFY, "EnableExplanations", vec![chars(1), chars(64), Value::Null]),
            (INFERENCE, "FeaturesAttribute", vec![chars(1), chars(64)]),
            (INFERENCE, "ContentTemplate", vec![chars(1), chars(64)]),
            (INFERENCE, "MaxRecordCount", vec![json!(1), json!(i32::MAX)]),
            (INFERENCE, "MaxPayloadInMB", vec![json!(1), json!(25)]),
            (INFERENCE, "ProbabilityIndex", vec![json!(0), json!(i32::MAX)]),
            (INFERENCE, "LabelIndex", vec![json!(0), json!(i32::MAX)]),
            (INFERENCE, "ProbabilityAttribute", vec![chars(1), chars(64)]),
            (INFERENCE, "LabelAttribute", vec![chars(1), chars(64)]),
            (INFERENCE, "LabelHeaders", vec![list(1), list(16), json!([chars(1), chars(64)])]),
            (INFERENCE, "FeatureHeaders", vec![list(1), list(256), json!([chars(1), chars(64)])]),
            (INFERENCE, "FeatureTypes", vec![list(1), list(256), json!(["numerical", "categorical", "text"])]),
            (SHAP, "NumberOfSamples", vec![json!(1), json!(i32::MAX)]),
            (SHAP, "UseLogit", vec![json!(true), json!(false), Value::Null]),
            (SHAP, "Seed", vec![json!(i64::MIN), json!(i64::MAX)]),
            (BASELINE, "MimeType", vec![json!("text/csv"), json!("Application/JSONLines; a=b")]),
            (BASELINE, "ShapBaseline", vec![chars(1), chars(4096), json!("1\n2")]),
            (TEXT, "Granularity", vec![json!("token"), json!("sentence"), json!("paragraph")]),
            (TEXT, "Language", vec![json!("af"), json!("lij"), json!("xx")]),
        ] {
            for value in values {
                let read = with(place, member, &value);
                assert!(read.is_ok(), "{member} = {value}: {read:?}");
            }
        }
    }

    /// Where a fault is told: `/A/B` and `C.2.member` → `a.b.c.2.member`.
    fn path(place: &str, member: &str) -> String {
        let lower = |name: &str| name[..1].to_ascii_lowercase() + &name[1..];
        place.split('/').skip(1).chain([member]).map(lower).collect::<Vec<_>>().join(".")
    }

    fn assert_fault(place: &str, member: &str, value: &Value, constraint: &str) {
        let name = member.split('.').next().expect("has a first part");
        let message = with(place, name, value).expect_err("is refused");
        assert!(message.starts_with("1 validation error detected: Value "), "{message}");
        let end = format!(" at '{}' failed to satisfy constraint: {constraint}", path(place, member));
        assert!(message.ends_with(&end), "{message}\n{end}");
    }

    #[test]
    fn lengths_outside_their_bounds_are_refused() {
        let chars = |n| json!("é".repeat(n));
        let list = |n| json!(vec!["text"; n]);
        for (place, member, value, length) in [
            (CLARIFY, "EnableExplanations", chars(0), "greater than or equal to 1"),
            (CLARIFY, "EnableExplanations", chars(65), "less than or equal to 64"),
            (INFERENCE, "FeaturesAttribute", chars(0), "greater than or equal to 1"),
            (INFERENCE, "FeaturesAttribute", chars(65), "less than or equal to 64"),
            (INFERENCE, "ContentTemplate", chars(0), "greater than or equal to 1"),
            (INFERENCE, "ContentTemplate", chars(65), "less than or equal to 64"),
            (INFERENCE, "ProbabilityAttribute", chars(0), "greater than or equal to 1"),
            (INFERENCE, "ProbabilityAttribute", chars(65), "less than or equal to 64"),
            (INFERENCE, "LabelAttribute", chars(0), "greater than or equal to 1"),
            (INFERENCE, "LabelAttribute", chars(65), "less than or equal to 64"),
            (INFERENCE, "LabelHeaders", list(0), "greater than or equal to 1"),
            (INFERENCE, "LabelHeaders", list(17), "less than or equal to 16"),
            (INFERENCE, "LabelHeaders.2.member", json!(["a", ""]), "greater than or equal to 1"),
            (INFERENCE, "LabelHeaders.2.member", json!(["a", chars(65)]), "less than or equal to 64"),
            (INFERENCE, "FeatureHeaders", list(0), "greater than or equal to 1"),
            (INFERENCE, "FeatureHeaders", list(257), "less than or equal to 256"),
            (INFERENCE, "FeatureHeaders.2.member", json!(["a", ""]), "greater than or equal to 1"),
            (INFERENCE, "FeatureHeaders.2.member", json!(["a", chars(65)]), "less than or equal to 64"),
            (INFERENCE, "FeatureTypes", list(0), "greater than or equal to 1"),
            (INFERENCE, "FeatureTypes", list(257), "less than or equal to 256"),
            (BASELINE, "ShapBaseline", chars(4097), "less than or equal to 4096"),
            (BASELINE, "MimeType", json!(format!("text/csv;{}", "a".repeat(247))), "less than or equal to 255"),
        ] {
            assert_fault(place, member, &value, &format!("Member must have length {length}"));
        }
    }

    #[test]
    fn numbers_outside_their_bounds_are_refused() {
        for (place, member, value, bound) in [
            (INFERENCE, "MaxRecordCount", json!(0), "greater than or equal to 1"),
            (INFERENCE, "MaxPayloadInMB", json!(0), "greater than or equal to 1"),
            (INFERENCE, "MaxPayloadInMB", json!(26), "less than or equal to 25"),
            (INFERENCE, "ProbabilityIndex", json!(-1), "greater than or equal to 0"),
            (INFERENCE, "LabelIndex", json!(i64::MIN), "greater than or equal to 0"),
            (SHAP, "NumberOfSamples", json!(0), "greater than or equal to 1"),
            (SHAP, "Seed", json!(u64::MAX), "less than or equal to 9223372036854775807"),
        ] {
            assert_fault(place, member, &value, &format!("Member must have value {bound}"));
        }
    }

    #[test]
    fn words_patterns_and_nulls_are_refused() {
        let line = "regular expression pattern: .*";
        for (place, member, value, rule) in [
            (CLARIFY, "EnableExplanations", json!("a\nb"), line),
            (INFERENCE, "ContentTemplate", json!("a\nb"), line),
            (INFERENCE, "FeatureHeaders.1.member", json!(["a\rb"]), line),
            (
                INFERENCE,
                "FeatureTypes.2.member",
                json!(["text", "Text"]),
                "enum value set: [numerical, categorical, text]",
            ),
            (
                BASELINE,
                "MimeType",
                json!("csv"),
                r"regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9])*\/[a-zA-Z0-9](-*[a-zA-Z0-9+.])*",
            ),
            (BASELINE, "MimeType", json!("application/json"), "enum value set: [text/csv, application/jsonlines]"),
            (TEXT, "Granularity", json!("word"), "enum value set: [token, sentence, paragraph]"),
        ] {
            assert_fault(place, member, &value, &format!("Member must satisfy {rule}"));
        }
        for (place, member, value) in [
            (CLARIFY, "ShapConfig", Value::Null),
            (SHAP, "ShapBaselineConfig", Value::Null),
            (TEXT, "Granularity", Value::Null),
            (TEXT, "Language", Value::Null),
            (INFERENCE, "LabelHeaders.2.member", json!(["a", null])),
        ] {
            assert_fault(place, member, &value, "Member must not be null");
        }
        let message = with(TEXT, "Language", &json!("ja")).expect_err("is refused");
        assert!(message.contains("enum value set: [af, sq, ") && message.ends_with(", yo, lij, xx]"), "{message}");
        assert_eq!(LANGUAGE.0.len(), 60);
    }

    #[test]
    fn values_of_another_kind_are_refused() {
        for (place, member, value, kinds) in [
            (CLARIFY, "EnableExplanations", json!(true), "TRUE_VALUE can not be converted to a String"),
            (CLARIFY, "InferenceConfig", json!([]), "LIST_VALUE can not be converted to a Structure"),
            (INFERENCE, "MaxRecordCount", json!("1"), "STRING_VALUE can not be converted to an Integer"),
            (INFERENCE, "MaxPayloadInMB", json!(6.5), "DECIMAL_VALUE can not be converted to an Integer"),
            (INFERENCE, "LabelHeaders", json!("a"), "STRING_VALUE can not be converted to a List"),
            (INFERENCE, "LabelHeaders.1.member", json!([7]), "NUMBER_VALUE can not be converted to a String"),
            (
                INFERENCE,
                "FeatureTypes.1.member",
                json!([{}, "text"]),
                "STRUCTURE_VALUE can not be converted to a String",
            ),
            (SHAP, "UseLogit", json!("true"), "STRING_VALUE can not be converted to a Boolean"),
            (SHAP, "Seed", json!(1.0), "DECIMAL_VALUE can not be converted to an Integer"),
            (BASELINE, "ShapBaseline", json!(false), "FALSE_VALUE can not be converted to a String"),
            (TEXT, "Language", json!(1), "NUMBER_VALUE can not be converted to a String"),
        ] {
            assert_fault(place, member, &value, kinds);
        }
    }

    #[test]
    fn members_that_do_not_fit_together_are_refused() {
        for (place, member, value, constraint) in [
            (BASELINE, "ShapBaseline", Value::Null, "Member must not be null when ShapBaselineUri is null"),
            (BASELINE, "ShapBaselineUri", json!("b.csv"), "Member must be null when ShapBaseline is given"),
            (
                INFERENCE,
                "FeatureTypes",
                json!(["numerical"]),
                "Member must contain text; without text features it must be null",
            ),
        ] {
            assert_fault(place, member, &value, constraint);
        }
        let mut config = config();
        config[&CLARIFY[1..]]["InferenceConfig"] =
            json!({"FeatureHeaders": ["a"], "FeatureTypes": ["text", "text"]});
        config.pointer_mut(SHAP).expect("is there")["TextConfig"] = Value::Null;
        let expected = "2 validation errors detected: Value '[\"text\",\"text\"]' at \
            'clarifyExplainerConfig.inferenceConfig.featureTypes' failed to satisfy constraint: \
            Member must have length 1, as FeatureHeaders has, not 2; \
            Value null at 'clarifyExplainerConfig.shapConfig.textConfig' failed to satisfy constraint: \
            Member must not be null when FeatureTypes contains text";
        assert_eq!(read_value(&config).expect_err("is refused"), expected);
    }

    #[test]
    fn baselines_elsewhere_are_kept_and_local_ones_are_relative_to_the_definition() {
        for (uri, expected) in [
            ("s3://bucket/b.csv", "s3://bucket/b.csv"),
            ("https://host/b.csv", "https://host/b.csv"),
            ("b.csv", "folder/b.csv"),
            ("file:b.csv", "folder/b.csv"),
            ("file:///data/b.csv", "/data/b.csv"),
        ] {
            let mut config = config();
            *config.pointer_mut(BASELINE).expect("is there") = json!({"ShapBaselineUri": uri});
            let source = read_value(&config).expect("reads").baseline.source;
            assert_eq!(source, BaselineSource::Location(expected.to_owned()), "{uri}");
        }
    }
}
