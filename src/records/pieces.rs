//! The features of a record as they play: each of them whole, or a text in its units. A piece is what a player is.

use std::sync::Arc;

use super::units::{Granularity, Unit, split};
use super::{CellError, Table};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureType {
    Numerical,
    Categorical,
    Text,
}

/// Which features of an endpoint are texts, and how they are cut.
#[derive(Debug)]
pub struct Cutter {
    types: Vec<FeatureType>,
    granularity: Granularity,
    language: String,
}

/// One record: features in their order, units of a text in theirs.
#[derive(Debug)]
pub struct Pieces {
    features: Vec<Option<CutText>>,
    n_pieces: usize,
}

/// A text, quotes and escapes undone, and its units. A blank text has none.
#[derive(Debug)]
pub struct CutText {
    pub text: String,
    pub units: Vec<Unit>,
}

impl Cutter {
    /// None where no feature is a text.
    pub fn new(types: Vec<FeatureType>, granularity: Granularity, language: &str) -> Option<Self> {
        let language = language.to_owned();
        types.contains(&FeatureType::Text).then_some(Self { types, granularity, language })
    }

    pub fn types(&self) -> &[FeatureType] {
        &self.types
    }

    /// The features that are texts.
    pub fn texts(&self) -> impl Iterator<Item = usize> {
        let kinds = self.types.iter().enumerate();
        kinds.filter(|&(_, &kind)| kind == FeatureType::Text).map(|(feature, _)| feature)
    }

    /// None where the records have another number of features.
    pub fn cut_all(&self, table: &Table) -> Result<Option<Arc<[Pieces]>>, CellError> {
        if table.n_columns() != self.types.len() {
            return Ok(None);
        }
        (0..table.n_records()).map(|record_idx| self.cut(table, record_idx)).collect::<Result<_, _>>().map(Some)
    }

    /// The record has as many features as there are types.
    fn cut(&self, table: &Table, record_idx: usize) -> Result<Pieces, CellError> {
        let cut = |(column_idx, &kind): (usize, &FeatureType)| {
            let is_text = kind == FeatureType::Text;
            is_text.then(|| Ok(self.cut_text(table.text(record_idx, column_idx)?.into_owned()))).transpose()
        };
        let features: Vec<Option<CutText>> = self.types.iter().enumerate().map(cut).collect::<Result<_, _>>()?;
        let n_pieces = features.iter().map(|text| text.as_ref().map_or(1, |text| text.units.len())).sum();
        Ok(Pieces { features, n_pieces })
    }

    fn cut_text(&self, text: String) -> CutText {
        // White space alone is a token beside others, and says nothing on its own.
        let is_blank = text.trim().is_empty();
        let units = if is_blank { Vec::new() } else { split(&text, self.granularity, &self.language) };
        CutText { text, units }
    }
}

impl Pieces {
    pub fn len(&self) -> usize {
        self.n_pieces
    }

    pub fn is_empty(&self) -> bool {
        self.n_pieces == 0
    }

    pub fn has_blank_text(&self) -> bool {
        self.features.iter().flatten().any(|text| text.units.is_empty())
    }

    /// Units of all texts.
    pub fn n_units(&self) -> usize {
        self.features.iter().flatten().map(|text| text.units.len()).sum()
    }

    /// None for a feature that is one piece.
    pub fn features(&self) -> &[Option<CutText>] {
        &self.features
    }
}

impl CutText {
    /// The text with what stands between two units, or around them, beside each: `(before, unit)`, and what is left.
    pub fn parts(&self) -> (impl Iterator<Item = (&str, &str)>, &str) {
        let mut at = 0;
        let parts = self.units.iter().map(move |unit| {
            let before = &self.text[at..unit.bytes.start];
            at = unit.bytes.end;
            (before, &self.text[unit.bytes.clone()])
        });
        let end = self.units.last().map_or(0, |unit| unit.bytes.end);
        (parts, &self.text[end..])
    }
}

/// Numbers in all rows of a baseline, or else texts.
pub fn inferred_types(baseline: &Table) -> Vec<FeatureType> {
    let is_number = |record_idx: usize, column_idx: usize| {
        let text = baseline.cell(record_idx, column_idx).text();
        text.trim().parse::<f64>().is_ok()
    };
    let kind = |column_idx: usize| {
        let is_numerical = (0..baseline.n_records()).all(|record_idx| is_number(record_idx, column_idx));
        if is_numerical { FeatureType::Numerical } else { FeatureType::Text }
    };
    (0..baseline.n_columns()).map(kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Format;

    fn table(text: &str, format: Format) -> Table {
        Table::read(text.as_bytes(), format, None, 10).expect("is a table")
    }

    #[test]
    fn texts_are_cut_and_other_features_play_whole() {
        use FeatureType::{Numerical, Text};
        let cutter = Cutter::new(vec![Numerical, Text, Text], Granularity::Token, "en").expect("has texts");
        let table = table("7,\"He said \"\"no\"\".\",\"  \"", Format::Csv);
        let pieces = cutter.cut(&table, 0).expect("CSV has texts");
        assert_eq!(pieces.len(), 1 + 6);
        let [None, Some(said), Some(blank)] = pieces.features() else { panic!("two are texts") };
        let (parts, rest) = said.parts();
        let parts: Vec<(&str, &str)> = parts.collect();
        assert_eq!(parts, [("", "He"), (" ", "said"), (" ", "\""), ("", "no"), ("", "\""), ("", ".")]);
        assert_eq!((rest, blank.units.len()), ("", 0));
        assert!(Cutter::new(vec![Numerical], Granularity::Token, "en").is_none());
    }

    #[test]
    fn what_is_no_text_in_json_is_refused_with_its_place() {
        let cutter = Cutter::new(vec![FeatureType::Text; 2], Granularity::Token, "en").expect("has texts");
        let cut = |line: &str| cutter.cut_all(&table(line, Format::JsonLines));
        assert_eq!(cut("[\"a b\", null]").expect("are texts").expect("are two")[0].len(), 2);
        let refused = cut("[\"a\", \"b\"]\n[\"a\", 5]").expect_err("5 is a number");
        let text = "record 2, column 2: 5 is no text; a text feature is a string or null in JSON";
        assert_eq!(refused.to_string(), text);
    }

    #[test]
    fn a_column_of_the_baseline_is_numerical_or_a_text() {
        use FeatureType::{Numerical, Text};
        let table = table("1,a,2\n-1.5e3,7,", Format::Csv);
        assert_eq!(inferred_types(&table), [Numerical, Text, Text]);
    }
}
