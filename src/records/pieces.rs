//! The features of a record as they play: each of them whole, or a text in its units. A piece is what a player is.

use std::borrow::Cow;
use std::iter::repeat_n;

use super::table::is_missing;
use super::units::{Granularity, Unit, is_blank, split};
use super::{Cell, CellError, Table};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeatureType {
    Numerical,
    Categorical,
    Text,
}

/// Bytes of all texts of one record that is explained.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Bytes of one record with the baseline's texts in place of all units, all rows of the baseline together.
const ABSENT_BYTES_MAX: usize = 8 << 20;

/// Which features of an endpoint are texts, and how they are cut.
#[derive(Debug)]
pub struct Cutter {
    types: Vec<FeatureType>,
    n_baseline_rows: usize,
    /// Of each feature's texts, in all rows of the baseline.
    baseline_bytes: Vec<usize>,
    granularity: Granularity,
    language: String,
}

/// One record: features in their order, units of a text in theirs.
#[derive(Debug)]
pub struct Pieces {
    features: Vec<Option<CutText>>,
}

/// A text, quotes and escapes undone, and its units. A blank text has none.
#[derive(Debug)]
pub struct CutText {
    pub text: String,
    pub units: Vec<Unit>,
}

impl Cutter {
    /// None where no feature is a text. The baseline has as many features as there are types.
    pub fn new(
        types: Vec<FeatureType>,
        baseline: &Table,
        granularity: Granularity,
        language: &str,
    ) -> Option<Self> {
        let n_baseline_rows = baseline.n_records();
        let bytes = |column_idx| (0..n_baseline_rows).map(|row| baseline.cell(row, column_idx).text().len()).sum();
        let baseline_bytes = (0..types.len()).map(bytes).collect();
        // A language's first text makes its tables, which no request should wait for.
        split(".", granularity, language);
        let language = language.to_owned();
        let has_text = types.contains(&FeatureType::Text);
        has_text.then_some(Self { types, n_baseline_rows, baseline_bytes, granularity, language })
    }

    pub fn types(&self) -> &[FeatureType] {
        &self.types
    }

    /// The features that are texts.
    pub fn texts(&self) -> impl Iterator<Item = usize> {
        let kinds = self.types.iter().enumerate();
        kinds.filter(|&(_, &kind)| kind == FeatureType::Text).map(|(feature, _)| feature)
    }

    pub fn granularity(&self) -> Granularity {
        self.granularity
    }

    /// Whether there are as many features as there are types.
    pub fn fits(&self, table: &Table) -> bool {
        table.n_columns() == self.types.len()
    }

    /// One record after the other; they fit.
    pub fn cut_each(&self, table: &Table) -> impl Iterator<Item = Result<Pieces, CellError>> {
        (0..table.n_records()).map(|record_idx| self.cut(table, record_idx))
    }

    /// The record has as many features as there are types.
    pub fn cut(&self, table: &Table, record_idx: usize) -> Result<Pieces, CellError> {
        let text = |(column_idx, &kind): (usize, &FeatureType)| {
            (kind == FeatureType::Text).then(|| table.text(record_idx, column_idx)).transpose()
        };
        let texts: Vec<Option<Cow<str>>> = self.types.iter().enumerate().map(text).collect::<Result<_, _>>()?;
        let bytes = texts.iter().flatten().map(|text| text.len()).sum();
        if bytes > TEXT_BYTES_MAX {
            return Err(CellError::LongText { record: record_idx + 1, bytes, limit: TEXT_BYTES_MAX });
        }
        let features = texts.into_iter().map(|text| Some(self.cut_text(text?.into_owned())));
        let features: Vec<Option<CutText>> = features.collect();
        let pieces = Pieces { features };
        match self.absent_bytes(&pieces) {
            0..=ABSENT_BYTES_MAX => Ok(pieces),
            bytes => {
                let (record, n_units) = (record_idx + 1, pieces.n_units());
                Err(CellError::TooManyUnits { record, n_units, bytes, limit: ABSENT_BYTES_MAX })
            }
        }
    }

    /// Of all rows with nobody's own units in them.
    fn absent_bytes(&self, pieces: &Pieces) -> usize {
        let texts = pieces.features.iter().zip(&self.baseline_bytes);
        let of_text = |(text, bytes): (&Option<CutText>, &usize)| {
            text.as_ref().map_or(0, |text| text.units.len() * bytes + text.text.len() * self.n_baseline_rows)
        };
        texts.map(of_text).sum()
    }

    fn cut_text(&self, text: String) -> CutText {
        let units = if is_blank(&text) { Vec::new() } else { split(&text, self.granularity, &self.language) };
        CutText { text, units }
    }
}

impl Pieces {
    pub fn len(&self) -> usize {
        self.features.iter().map(n_pieces).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn has_blank_text(&self) -> bool {
        self.features.iter().flatten().any(|text| text.units.is_empty())
    }

    /// The feature of each piece.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        self.features.iter().enumerate().flat_map(|(column, text)| repeat_n(column, n_pieces(text)))
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

/// Of one feature.
fn n_pieces(text: &Option<CutText>) -> usize {
    text.as_ref().map_or(1, |text| text.units.len())
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

/// By the rows of a baseline: numbers, some of which may be missing; or else texts, where they can be.
pub fn inferred_types(baseline: &Table) -> Vec<FeatureType> {
    let kind = |column_idx: usize| {
        let cells = || (0..baseline.n_records()).map(|record_idx| baseline.cell(record_idx, column_idx));
        let has_number = cells().any(|cell| is_number(&cell.text()));
        if has_number && cells().all(|cell| is_number(&cell.text()) || is_missing(&cell.text())) {
            FeatureType::Numerical
        } else if cells().all(Cell::is_text) {
            FeatureType::Text
        } else {
            FeatureType::Categorical
        }
    };
    (0..baseline.n_columns()).map(kind).collect()
}

fn is_number(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Format;

    fn table(text: &str, format: Format) -> Table {
        Table::read(text.as_bytes(), format, None, 10).expect("is a table")
    }

    fn cutter(types: Vec<FeatureType>, baseline: &str) -> Option<Cutter> {
        Cutter::new(types, &table(baseline, Format::Csv), Granularity::Token, "en")
    }

    #[test]
    fn a_text_that_takes_too_much_memory_is_refused_before_its_rows_are_made() {
        let cutter = cutter(vec![FeatureType::Text], &"a".repeat(4096)).expect("has a text");
        let cut = |n_units| cutter.cut(&table(&"b ".repeat(n_units), Format::Csv), 0);
        assert!(cut(2_000).is_ok());
        let text = "record 1: its texts have 2100 units, and with the baseline's texts in their place 8605800 bytes; \
                    the limit is 8388608 bytes";
        assert_eq!(cut(2_100).expect_err("is too large").to_string(), text);
        let text =
            "record 1: its texts have 1048578 bytes; the limit of those that are explained is 1048576 bytes";
        assert_eq!(cut(524_289).expect_err("is too long").to_string(), text);
    }

    #[test]
    fn texts_are_cut_and_other_features_play_whole() {
        use FeatureType::{Numerical, Text};
        let all = cutter(vec![Numerical, Text, Text], "0,_,_").expect("has texts");
        let table = table("7,\"He said \"\"no\"\".\",\" \u{1c}\"", Format::Csv);
        let pieces = all.cut(&table, 0).expect("CSV has texts");
        assert_eq!(pieces.len(), 1 + 6);
        let [None, Some(said), Some(blank)] = pieces.features() else { panic!("two are texts") };
        let (parts, rest) = said.parts();
        let parts: Vec<(&str, &str)> = parts.collect();
        assert_eq!(parts, [("", "He"), (" ", "said"), (" ", "\""), ("", "no"), ("", "\""), ("", ".")]);
        assert_eq!((rest, blank.units.len()), ("", 0));
        assert!(cutter(vec![Numerical], "0").is_none());
    }

    #[test]
    fn what_is_no_text_in_json_is_refused_with_its_place() {
        let cutter = cutter(vec![FeatureType::Text; 2], "_,_").expect("has texts");
        let cut = |lines: &str, record_idx| cutter.cut(&table(lines, Format::JsonLines), record_idx);
        assert_eq!(cut("[\"a b\", null]", 0).expect("are texts").len(), 2);
        let refused = cut("[\"a\", \"b\"]\n[\"a\", 5]", 1).expect_err("5 is a number");
        let text = "record 2, column 2: 5 is no text; a text feature is a string or null in JSON, \
                    and FeatureTypes says which features are texts";
        assert_eq!(refused.to_string(), text);
    }

    #[test]
    fn a_column_of_the_baseline_is_numerical_or_a_text() {
        use FeatureType::{Categorical, Numerical, Text};
        let types = |lines: &str, format| inferred_types(&table(lines, format));
        assert_eq!(
            types("1,a,2,,nan,inf\n-1.5e3,7,,,nan,1", Format::Csv),
            [Numerical, Text, Numerical, Text, Text, Text]
        );
        assert_eq!(
            types("[1,\"a\",true,null,\"2\"]", Format::JsonLines),
            [Numerical, Text, Categorical, Text, Numerical]
        );
    }
}
