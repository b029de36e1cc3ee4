//! A document → its bytes: compact JSON in raw UTF-8, numbers as Python's `repr` spells them.
//! Names are written as they stand here, so that no feature of a record pays for looking through them again.

use std::io::Write;

use super::{Attributions, Document, Feature, Predictions, Unit};
use crate::endpoints::FeatureType;
use crate::records::write_number;

const VEC_TAKES_ALL: &str = "a Vec takes all. This is a bug.";

#[derive(Default)]
pub(super) struct Json(pub(super) Vec<u8>);

impl Json {
    pub(super) fn document(&mut self, document: &Document) {
        let Document { version, predictions: Predictions { content_type, data }, label_headers, kernel_shap } =
            document;
        self.member("{\"version\":", version);
        self.member(",\"predictions\":{\"content_type\":", content_type);
        self.member(",\"data\":", data);
        self.raw("}");
        if let Some(headers) = label_headers {
            self.raw(",\"label_headers\":");
            self.list(*headers, |json, header| json.text(header));
        }
        self.raw(",\"explanations\":{");
        if let Some(records) = kernel_shap {
            self.raw("\"kernel_shap\":");
            self.list(records, |json, record| json.record(record.as_deref()));
        }
        self.raw("}}");
    }

    fn record(&mut self, record: Option<&[Feature]>) {
        match record {
            Some(features) => self.list(features, Self::feature),
            None => self.raw("null"),
        }
    }

    pub(super) fn feature(&mut self, feature: &Feature) {
        self.raw("{\"attributions\":");
        match &feature.attributions {
            Attributions::Whole(outputs) => {
                self.raw("[{\"attribution\":");
                self.numbers(outputs);
                self.raw("}]");
            }
            Attributions::Units(units) => self.list(units, Self::unit),
        }
        if let Some(header) = feature.feature_header {
            self.member(",\"feature_header\":", header);
        }
        if let Some(feature_type) = feature.feature_type {
            self.member(",\"feature_type\":", type_name(feature_type));
        }
        self.raw("}");
    }

    fn unit(&mut self, unit: &Unit) {
        self.raw("{\"attribution\":");
        self.numbers(unit.attribution);
        self.member(",\"description\":{\"partial_text\":", unit.partial_text);
        write!(self.0, ",\"start_idx\":{}}}}}", unit.start_idx).expect(VEC_TAKES_ALL);
    }

    pub(super) fn numbers(&mut self, numbers: &[f64]) {
        self.list(numbers, |json, &number| write_number(&mut json.0, number).expect(VEC_TAKES_ALL));
    }

    pub(super) fn list<'a, T: 'a>(
        &mut self,
        items: impl IntoIterator<Item = &'a T>,
        write: impl Fn(&mut Self, &'a T),
    ) {
        self.raw("[");
        for (idx, item) in items.into_iter().enumerate() {
            if idx > 0 {
                self.raw(",");
            }
            write(self, item);
        }
        self.raw("]");
    }

    fn member(&mut self, name: &str, text: &str) {
        self.raw(name);
        self.text(text);
    }

    fn raw(&mut self, json: &str) {
        self.0.extend_from_slice(json.as_bytes());
    }

    fn text(&mut self, text: &str) {
        serde_json::to_writer(&mut self.0, text).expect(VEC_TAKES_ALL);
    }
}

fn type_name(feature_type: FeatureType) -> &'static str {
    match feature_type {
        FeatureType::Numerical => "numerical",
        FeatureType::Categorical => "categorical",
        FeatureType::Text => "text",
    }
}
