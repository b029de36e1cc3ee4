//! The lines of a file → the fields of its header and of each tree, as they are spelled.
//! Knows where a tree begins; nothing of what fields mean.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::LightgbmError;
use crate::model::embedded::checks::{Place, Wrong, quote};

/// The fields that count; all others are skipped.
const KNOWN: [&str; 16] = [
    "version",
    "num_tree_per_iteration",
    "max_feature_idx",
    "objective",
    "average_output",
    "num_leaves",
    "num_cat",
    "split_feature",
    "threshold",
    "decision_type",
    "left_child",
    "right_child",
    "leaf_value",
    "cat_boundaries",
    "cat_threshold",
    "is_linear",
];

pub(super) struct Text<'a> {
    pub header: Fields<'a>,
    pub trees: Vec<Fields<'a>>,
}

/// `field=value` lines, the last of a name counts.
pub(super) struct Fields<'a> {
    place: Place,
    values: [Option<&'a str>; KNOWN.len()],
}

impl<'a> Text<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, LightgbmError> {
        let limit = u32::MAX as usize;
        if bytes.len() >= limit {
            return Err(LightgbmError::TooLong { actual: bytes.len(), limit });
        }
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|error| LightgbmError::NotUtf8 { at: error.valid_up_to() })?;
        let mut read = Self { header: Fields::new(Place::Model), trees: Vec::new() };
        for line in text.lines() {
            // Before v3 the trees ended where the importances began.
            if line == "end of trees" || line.starts_with("feature importances") {
                return Ok(read);
            }
            read.take(line);
        }
        Err(LightgbmError::Cut)
    }

    fn take(&mut self, line: &'a str) {
        if line.starts_with("Tree=") {
            self.trees.push(Fields::new(Place::Tree(self.trees.len())));
        }
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        let fields = self.trees.last_mut().unwrap_or(&mut self.header);
        if let Some(field) = KNOWN.iter().position(|&known| known == name) {
            fields.values[field] = Some(value);
        }
    }
}

impl<'a> Fields<'a> {
    fn new(place: Place) -> Self {
        Self { place, values: [None; KNOWN.len()] }
    }

    pub(super) fn find(&self, name: &'static str) -> Option<&'a str> {
        let field =
            KNOWN.iter().position(|&known| known == name).expect("fields are known by name. This is a bug.");
        self.values[field]
    }

    pub(super) fn text(&self, name: &'static str) -> Result<&'a str, Wrong> {
        self.find(name).ok_or_else(|| self.wrong(name, "missing", "a line with it"))
    }

    pub(super) fn number<T>(&self, name: &'static str, range: RangeInclusive<T>) -> Result<T, Wrong>
    where
        T: FromStr + PartialOrd + Display,
    {
        let text = self.text(name)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        let expected = || format!("a number from {} to {}", range.start(), range.end());
        number.ok_or_else(|| self.wrong(name, quote(text), expected()))
    }

    /// Numbers with blanks between them, of which there must be `n`.
    pub(super) fn numbers<T: FromStr>(&self, name: &'static str, n: usize, kind: &str) -> Result<Vec<T>, Wrong> {
        let words = self.text(name)?.split_ascii_whitespace();
        let number = |word: &str| word.parse().map_err(|_| self.wrong(name, quote(word), kind));
        let numbers = words.map(number).collect::<Result<Vec<T>, Wrong>>()?;
        let expected = || format!("{n} {kind}s");
        if numbers.len() == n { Ok(numbers) } else { Err(self.wrong(name, numbers.len(), expected())) }
    }

    pub(super) fn wrong(&self, name: &'static str, actual: impl Display, expected: impl Display) -> Wrong {
        self.place.wrong(name, actual, expected)
    }
}
