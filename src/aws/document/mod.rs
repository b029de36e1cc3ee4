//! An explanation → the response document of an endpoint with the Clarify explainer, as compact JSON.
//! Members stand in the order in which they are written.

mod json;

use ndarray::{Array2, ArrayView1};

use crate::endpoints::FeatureType;
use crate::explain::Explanation;
use crate::records::{CutText, Pieces, units};
use json::Json;

/// The version of the schema.
pub const VERSION: &str = "1.0";

#[derive(Debug)]
pub struct Document<'a> {
    pub version: &'a str,
    pub predictions: Predictions<'a>,
    pub label_headers: Option<&'a [String]>,
    /// The one kind of `explanations`: none when nothing was explained, else one entry for each record, null where it
    /// was not.
    pub kernel_shap: Option<Vec<Option<Vec<Feature<'a>>>>>,
}

#[derive(Debug)]
pub struct Predictions<'a> {
    /// As the model names it, with its parameters.
    pub content_type: &'a str,
    /// The model's own text.
    pub data: &'a str,
}

#[derive(Debug)]
pub struct Feature<'a> {
    pub attributions: Attributions<'a>,
    pub feature_header: Option<&'a str>,
    pub feature_type: Option<FeatureType>,
}

/// A list. Outputs are in the order of the model's scores.
#[derive(Debug)]
pub enum Attributions<'a> {
    /// Of a feature that plays whole: one item with a number for each output.
    Whole(&'a [f64]),
    /// Of a text: one item for each unit, none for a blank text.
    Units(Vec<Unit<'a>>),
}

#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    /// One number for each output.
    pub attribution: &'a [f64],
    pub partial_text: &'a str,
    /// Where the unit begins in its feature's text, in characters.
    pub start_idx: usize,
}

impl<'a> Document<'a> {
    /// `types` are there where a feature is a text.
    pub fn of(
        feature_headers: Option<&'a [String]>,
        types: Option<&[FeatureType]>,
        explanation: &'a Explanation,
    ) -> Self {
        let record = |(record_idx, attributions): (usize, &'a Option<Array2<f64>>)| {
            let pieces = explanation.pieces.as_ref().and_then(|pieces| pieces[record_idx].as_ref());
            Some(features(feature_headers, types, pieces, attributions.as_ref()?))
        };
        let records = explanation.attributions.iter().enumerate().map(record);
        let is_explained = explanation.attributions.iter().any(Option::is_some);
        let predictions = &explanation.predictions;
        Self {
            version: VERSION,
            predictions: Predictions { content_type: &predictions.content_type, data: &predictions.text },
            label_headers: explanation.label_headers.as_deref(),
            kernel_shap: is_explained.then(|| records.collect()),
        }
    }

    /// Without a final line break.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Json::default();
        json.document(self);
        json.0
    }
}

fn features<'a>(
    headers: Option<&'a [String]>,
    types: Option<&[FeatureType]>,
    pieces: Option<&'a Pieces>,
    attributions: &'a Array2<f64>,
) -> Vec<Feature<'a>> {
    let row = |outputs: ArrayView1<'a, f64>| outputs.to_slice().expect("rows are contiguous. This is a bug.");
    let mut rows = attributions.outer_iter().map(row);
    let mut next = || rows.next().expect("each piece has its attributions. This is a bug.");
    let n_features = pieces.map_or(attributions.nrows(), |pieces| pieces.features().len());
    let feature = |feature_idx: usize| Feature {
        attributions: match pieces.and_then(|pieces| pieces.features()[feature_idx].as_ref()) {
            Some(text) => {
                Attributions::Units(text.units.iter().map(|unit| described(text, unit, next())).collect())
            }
            None => Attributions::Whole(next()),
        },
        feature_header: headers.map(|headers| headers[feature_idx].as_str()),
        feature_type: types.map(|types| types[feature_idx]),
    };
    (0..n_features).map(feature).collect()
}

fn described<'a>(text: &'a CutText, cut: &units::Unit, attribution: &'a [f64]) -> Unit<'a> {
    Unit { attribution, partial_text: cut.partial_text(&text.text), start_idx: cut.start_idx }
}

/// A list of numbers as the documents spell them.
pub fn write_numbers(numbers: &[f64]) -> String {
    let mut json = Json::default();
    json.numbers(numbers);
    String::from_utf8(json.0).expect("JSON is UTF-8. This is a bug.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn document<'a>(content_type: &'a str, data: &'a str, records: Vec<Option<Vec<Feature<'a>>>>) -> Document<'a> {
        Document {
            version: VERSION,
            predictions: Predictions { content_type, data },
            label_headers: None,
            kernel_shap: (!records.is_empty()).then_some(records),
        }
    }

    fn whole(outputs: &[f64]) -> Feature<'_> {
        Feature { attributions: Attributions::Whole(outputs), feature_header: None, feature_type: None }
    }

    fn all_whole(outputs: &[Vec<f64>]) -> Vec<Feature<'_>> {
        outputs.iter().map(|outputs| whole(outputs)).collect()
    }

    fn written(document: &Document) -> String {
        String::from_utf8(document.to_json()).expect("is UTF-8")
    }

    #[test]
    fn nothing_explained_is_an_empty_object() {
        let document = document("text/csv; charset=utf-8", "0.6380207487381995", Vec::new());
        assert_eq!(
            written(&document),
            r#"{"version":"1.0","predictions":{"content_type":"text/csv; charset=utf-8","data":"0.6380207487381995"},"explanations":{}}"#
        );
    }

    #[test]
    fn one_number_for_each_class_and_null_where_nothing_was_explained() {
        let mut document =
            document("text/csv", "0.1,0.6,0.3\n0,0,1\n", vec![Some(vec![whole(&[0.01, -0.02, 0.01])]), None]);
        let headers = ["cat", "dog", "fish"].map(str::to_owned);
        document.label_headers = Some(&headers);
        assert_eq!(
            written(&document),
            r#"{"version":"1.0","predictions":{"content_type":"text/csv","data":"0.1,0.6,0.3\n0,0,1\n"},"label_headers":["cat","dog","fish"],"explanations":{"kernel_shap":[[{"attributions":[{"attribution":[0.01,-0.02,0.01]}]}],null]}}"#
        );
    }

    #[test]
    fn units_of_text_are_described_and_every_member_has_its_place() {
        let unit = |attribution, partial_text, start_idx| Unit { attribution, partial_text, start_idx };
        let units = vec![unit(&[0.2], "Größe", 0), unit(&[-7.5e-5], "\"fit\"", 6)];
        let feature = |attributions, feature_header, feature_type| Feature {
            attributions,
            feature_header: Some(feature_header),
            feature_type: Some(feature_type),
        };
        let features = vec![
            feature(Attributions::Units(units), "review", FeatureType::Text),
            feature(Attributions::Units(Vec::new()), "reply", FeatureType::Text),
            feature(Attributions::Whole(&[-0.0]), "age", FeatureType::Numerical),
            feature(Attributions::Whole(&[1.0]), "shop", FeatureType::Categorical),
        ];
        let mut json = Json::default();
        json.list(&features, Json::feature);
        assert_eq!(
            String::from_utf8(json.0).expect("is UTF-8"),
            r#"[{"attributions":[{"attribution":[0.2],"description":{"partial_text":"Größe","start_idx":0}},{"attribution":[-7.5e-05],"description":{"partial_text":"\"fit\"","start_idx":6}}],"feature_header":"review","feature_type":"text"},{"attributions":[],"feature_header":"reply","feature_type":"text"},{"attributions":[{"attribution":[-0.0]}],"feature_header":"age","feature_type":"numerical"},{"attributions":[{"attribution":[1.0]}],"feature_header":"shop","feature_type":"categorical"}]"#
        );
    }

    #[test]
    fn quotes_and_control_characters_are_escaped_and_nothing_else() {
        let headers = ["\"a\\b\"/\u{8}\u{c}\n\r\t", "\u{0}\u{1f}\u{7f}", "é\u{2028}😀"].map(str::to_owned);
        let mut document = document("text/csv", "1", Vec::new());
        document.label_headers = Some(&headers);
        let expected =
            concat!(r#""label_headers":["\"a\\b\"/\b\f\n\r\t","\u0000\u001f"#, "\u{7f}\",\"é\u{2028}😀\"],");
        assert!(written(&document).contains(expected), "{}", written(&document));
    }

    proptest! {
        #[test]
        fn a_document_reads_back_to_what_was_written(
            records in prop::collection::vec(prop::option::of(prop::collection::vec(
                prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO, 1..4),
                1..4,
            )), 1..5),
            data in any::<String>(),
            labels in prop::collection::vec(any::<String>(), 0..4),
        ) {
            let of_records = records.iter().map(|record| Some(all_whole(record.as_ref()?))).collect();
            let mut document = document("text/csv", &data, of_records);
            document.label_headers = Some(&labels);
            let read: Value = serde_json::from_slice(&document.to_json()).expect("is JSON");
            let feature = |outputs: &Vec<f64>| json!({"attributions": [{"attribution": outputs}]});
            let record = |record: &Option<Vec<Vec<f64>>>| {
                record.as_ref().map(|features| features.iter().map(feature).collect::<Vec<Value>>())
            };
            let expected = json!({
                "version": "1.0",
                "predictions": {"content_type": "text/csv", "data": data},
                "label_headers": labels,
                "explanations": {"kernel_shap": records.iter().map(record).collect::<Vec<_>>()},
            });
            prop_assert_eq!(read, expected);
        }
    }
}
