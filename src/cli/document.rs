//! The document of one record, and the record as it was sent → its features, whole or in units, with the attributions
//! of one output. Knows nothing of what is drawn of them.

use anyhow::Context;
use serde_json::Value;

use super::shading::Unit;
use crate::records::{Format, Table};

pub(super) struct Feature<'a> {
    pub(super) header: &'a str,
    /// What the record says of it, quotes undone.
    pub(super) text: String,
    pub(super) played: Played,
}

pub(super) enum Played {
    Whole(f64),
    InUnits(Vec<Unit>),
}

impl Played {
    pub(super) fn units(&self) -> &[Unit] {
        match self {
            Self::Whole(_) => &[],
            Self::InUnits(units) => units,
        }
    }
}

/// In the order of the record.
pub(super) fn features<'a>(
    document: &'a Value,
    record: &str,
    output_idx: usize,
) -> anyhow::Result<Vec<Feature<'a>>> {
    let table = Table::read(record.as_bytes(), Format::Csv, None, 1)?;
    let explained = document["explanations"]["kernel_shap"][0].as_array();
    let explained = explained.context("the document has no attributions")?;
    let feature = |(column_idx, explained): (usize, &'a Value)| {
        Some(Feature {
            header: explained["feature_header"].as_str().unwrap_or("feature"),
            text: table.cell(0, column_idx).text().into_owned(),
            played: played(explained, output_idx)?,
        })
    };
    let features = explained.iter().take(table.n_columns()).enumerate().map(feature).collect::<Option<_>>();
    features.context("the document has a feature without attributions")
}

/// Units are described, and a feature that plays whole is not.
fn played(explained: &Value, output_idx: usize) -> Option<Played> {
    let items = explained["attributions"].as_array()?;
    let attribution = |item: &Value| item["attribution"][output_idx].as_f64();
    match items.as_slice() {
        [whole] if whole.get("description").is_none() => attribution(whole).map(Played::Whole),
        units => {
            let unit = |item: &Value| {
                let described = &item["description"];
                Some(Unit {
                    start_idx: usize::try_from(described["start_idx"].as_u64()?).ok()?,
                    n_chars: described["partial_text"].as_str()?.chars().count(),
                    attribution: attribution(item)?,
                })
            };
            units.iter().map(unit).collect::<Option<_>>().map(Played::InUnits)
        }
    }
}
