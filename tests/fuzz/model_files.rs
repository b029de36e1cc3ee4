//! What holds for any bytes that are taken for a model file.

use explaind::form::{Body, Feature, Form};
use explaind::model::ModelError;
use explaind::model::embedded::{FileModel, Scorer, read as read_model};
use explaind::offload::Stop;
use explaind::records::{Format, Table};

use super::{ERROR_BYTES_MAX, check_text};

/// What is packed may unpack to this.
const UNPACKED_BYTES_MAX: u64 = 1 << 20;

/// A form answers every row, trees with finite margins; a model over texts answers every text, or says why not.
pub fn read(data: &[u8]) -> bool {
    match read_model(data, UNPACKED_BYTES_MAX) {
        Ok(FileModel::Form(form)) => check_form(&form),
        Ok(FileModel::Text(model)) => check_text_model(data, model.features()),
        Err(error) => {
            check_text(&error.to_string(), ERROR_BYTES_MAX);
            return false;
        }
    }
    true
}

fn check_form(form: &Form) {
    for x in [f32::NAN, 0.0, f32::MAX] {
        let mut margins = vec![f32::NAN; form.n_outputs()];
        form.margins(&vec![x; form.n_features()], &mut margins);
        let is_linear = matches!(form.body, Body::Layers(_));
        assert!(is_linear || margins.iter().all(|margin| margin.is_finite()), "{margins:?}");
    }
}

fn check_text_model(data: &[u8], features: &[Feature]) {
    let scorer = Scorer::read(data, UNPACKED_BYTES_MAX).expect("it was read before");
    for text in ["", "Free money, free!", "\u{130}\u{10ffff} a\u{301}\n"] {
        let cell = |feature: &Feature| match feature {
            Feature::Number => "1".to_owned(),
            Feature::Category(_) => format!("\"{text}\""),
        };
        let record = features.iter().map(cell).collect::<Vec<_>>().join(",");
        let table = Table::read(record.as_bytes(), Format::Csv, None, 1).expect("is a table");
        match scorer.margins(&table, &Stop::default()) {
            Ok(margins) => assert_eq!(margins.len(), scorer.n_outputs()),
            Err(error) => assert!(matches!(error, ModelError::Tokens { record: 1 }), "{error}"),
        }
    }
}
