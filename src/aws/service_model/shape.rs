//! `sagemaker.json` → shapes by name, read once; the file is part of the program, so that it reads is an invariant.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{LazyLock, OnceLock};

use regex::Regex;
use serde::Deserialize;

use crate::aws::fault::length_fault;

pub static MODEL: LazyLock<Model> = LazyLock::new(|| {
    serde_json::from_str(include_str!("sagemaker.json")).expect("the service model reads. This is a bug.")
});

#[derive(Deserialize)]
pub struct Model {
    /// The shape of each operation's input.
    pub operations: BTreeMap<String, String>,
    pub shapes: BTreeMap<String, Shape>,
}

impl Model {
    pub fn shape(&self, name: &str) -> &Shape {
        self.shapes.get(name).expect("the service model has all shapes it names. This is a bug.")
    }
}

/// Members, elements, keys and values are names of other shapes.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Shape {
    Structure(Structure),
    List {
        member: String,
        #[serde(flatten)]
        count: Limits<usize>,
    },
    Map {
        key: String,
        value: String,
        #[serde(flatten)]
        count: Limits<usize>,
    },
    String(Text),
    Integer(Limits<i64>),
    Float(Limits<f64>),
    Boolean,
    Timestamp,
}

#[derive(Deserialize)]
pub struct Structure {
    #[serde(default)]
    pub required: Vec<String>,
    pub members: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub struct Text {
    /// Unicode characters.
    #[serde(flatten)]
    pub chars: Limits<usize>,
    #[serde(flatten)]
    pub pattern: Option<Pattern>,
    #[serde(default, rename = "enum")]
    pub words: Vec<String>,
}

/// Of values, characters or elements; both belong to what is allowed.
#[derive(Clone, Copy, Deserialize)]
pub struct Limits<T> {
    min: Option<T>,
    max: Option<T>,
}

#[derive(Deserialize)]
pub struct Pattern {
    /// For the reader of a fault.
    #[serde(rename = "pattern")]
    pub shown: String,
    /// The same in words that `Regex` has, where they differ.
    regex: Option<String>,
    #[serde(skip)]
    compiled: OnceLock<Regex>,
}

impl Limits<usize> {
    /// What is wrong with so many characters or elements.
    pub fn length_fault(self, length: usize) -> Option<String> {
        length_fault(length, &(self.min.unwrap_or(0)..=self.max.unwrap_or(usize::MAX)))
    }
}

impl<T: Copy + Display + PartialOrd> Limits<T> {
    /// With these where it has none.
    pub fn or(self, least: T, most: T) -> Self {
        Self { min: self.min.or(Some(least)), max: self.max.or(Some(most)) }
    }

    /// What is wrong with a number that is not between least and most.
    pub fn fault(self, value: T) -> Option<String> {
        let (least, most) = (self.min.filter(|least| value < *least), self.max.filter(|most| value > *most));
        least
            .map(|least| format!("Member must have value greater than or equal to {least}"))
            .or_else(|| most.map(|most| format!("Member must have value less than or equal to {most}")))
    }
}

impl Limits<i64> {
    /// For numbers that JSON can hold and an integer of 64 bits cannot.
    pub fn widened(self) -> Limits<i128> {
        Limits { min: self.min.map(i128::from), max: self.max.map(i128::from) }
    }
}

impl Pattern {
    /// Whether the whole text matches.
    pub fn admits(&self, text: &str) -> bool {
        self.compiled.get_or_init(|| self.compile()).is_match(text)
    }

    fn compile(&self) -> Regex {
        let regex = self.regex.as_ref().unwrap_or(&self.shown);
        Regex::new(&format!(r"\A(?:{regex})\z")).expect("patterns of the service model compile. This is a bug.")
    }
}
