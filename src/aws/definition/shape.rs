//! The kinds of members in AWS's service models, as data: a JSON value → a checked one, or faults in AWS's words.

use std::borrow::Borrow;
use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::{Number, Value};

use super::pattern::Pattern;
use crate::aws::fault::Faults;

pub trait Shape {
    type Read;

    /// None where something was refused; what and why is then among the faults.
    fn read(&self, member: Member) -> Option<Self::Read>;
}

/// A value, where it stands, and where its faults go.
pub struct Member<'a> {
    pub value: &'a Value,
    pub path: String,
    pub faults: &'a mut Faults,
}

impl Member<'_> {
    pub fn refuse(&mut self, constraint: impl Display) {
        self.faults.push(&self.path, self.value, constraint);
    }

    /// `read` is the value, if it is of the wanted kind.
    pub fn of_kind<T>(&mut self, read: Option<T>, kind: &str) -> Option<T> {
        match (&read, self.value) {
            (Some(_), _) => {}
            (None, Value::Null) => self.refuse("Member must not be null"),
            (None, value) => self.refuse(format_args!("{} can not be converted to {kind}", token(value))),
        }
        read
    }

    fn is_sized(&mut self, length: usize, allowed: &RangeInclusive<usize>) -> bool {
        self.faults.check_length(&self.path, self.value, length, allowed)
    }
}

pub struct Text {
    /// Unicode characters.
    pub chars: RangeInclusive<usize>,
    pub pattern: Pattern,
}

pub struct Integer<T>(pub RangeInclusive<T>);

pub struct Boolean;

/// What has no place here, and why.
pub struct Absent(pub &'static str);

/// One of some words, kept as it is.
pub struct Word(pub &'static [&'static str]);

/// One of some words, and what each means.
pub struct Choice<T: 'static>(pub &'static [(&'static str, T)]);

pub struct List<S> {
    pub count: RangeInclusive<usize>,
    pub element: S,
}

impl Shape for Text {
    type Read = String;

    fn read(&self, mut member: Member) -> Option<String> {
        let text = member.of_kind(member.value.as_str(), "a String")?;
        let is_sized = member.is_sized(text.chars().count(), &self.chars);
        let is_admitted = (self.pattern.admits)(text);
        if !is_admitted {
            member.refuse(format_args!("Member must satisfy regular expression pattern: {}", self.pattern.regex));
        }
        (is_sized && is_admitted).then(|| text.to_owned())
    }
}

impl<T: Copy + Display + PartialOrd + TryFrom<i128>> Shape for Integer<T> {
    type Read = T;

    fn read(&self, mut member: Member) -> Option<T> {
        let whole = member.value.as_number().and_then(Number::as_i128);
        let whole = member.of_kind(whole, "an Integer")?;
        let (least, most) = (self.0.start(), self.0.end());
        // What T cannot hold lies beyond the limit on its side.
        let read = T::try_from(whole).ok();
        if read.map_or(whole < 0, |read| read < *least) {
            member.refuse(format_args!("Member must have value greater than or equal to {least}"));
        } else if read.is_none_or(|read| read > *most) {
            member.refuse(format_args!("Member must have value less than or equal to {most}"));
        }
        read.filter(|read| self.0.contains(read))
    }
}

impl Shape for Boolean {
    type Read = bool;

    fn read(&self, mut member: Member) -> Option<bool> {
        member.of_kind(member.value.as_bool(), "a Boolean")
    }
}

impl Shape for Absent {
    type Read = ();

    fn read(&self, mut member: Member) -> Option<()> {
        member.refuse(self.0);
        None
    }
}

impl Shape for Word {
    type Read = String;

    fn read(&self, mut member: Member) -> Option<String> {
        let text = member.of_kind(member.value.as_str(), "a String")?;
        let is_known = self.0.contains(&text);
        if !is_known {
            member.refuse(one_of(self.0));
        }
        is_known.then(|| text.to_owned())
    }
}

impl<T: Copy> Shape for Choice<T> {
    type Read = T;

    fn read(&self, mut member: Member) -> Option<T> {
        let text = member.of_kind(member.value.as_str(), "a String")?;
        let chosen = self.0.iter().find(|(word, _)| *word == text);
        if chosen.is_none() {
            member.refuse(one_of(&self.0.iter().map(|(word, _)| *word).collect::<Vec<_>>()));
        }
        chosen.map(|(_, meaning)| *meaning)
    }
}

impl<S: Shape> Shape for List<S> {
    type Read = Vec<S::Read>;

    fn read(&self, mut member: Member) -> Option<Vec<S::Read>> {
        let list = member.of_kind(member.value.as_array(), "a List")?;
        let is_sized = member.is_sized(list.len(), &self.count);
        let Member { path, faults, .. } = member;
        let mut read = Vec::new();
        for (i, value) in list.iter().enumerate() {
            let element = Member { value, path: format!("{path}.{}.member", i + 1), faults: &mut *faults };
            read.extend(self.element.read(element));
        }
        Some(read).filter(|read| is_sized && read.len() == list.len())
    }
}

pub fn one_of<W: Borrow<str>>(words: &[W]) -> String {
    format!("Member must satisfy enum value set: [{}]", words.join(", "))
}

pub fn token(value: &Value) -> &'static str {
    match value {
        Value::Null => "NULL_VALUE",
        Value::Bool(true) => "TRUE_VALUE",
        Value::Bool(false) => "FALSE_VALUE",
        Value::Number(number) if number.is_f64() => "DECIMAL_VALUE",
        Value::Number(_) => "NUMBER_VALUE",
        Value::String(_) => "STRING_VALUE",
        Value::Array(_) => "LIST_VALUE",
        Value::Object(_) => "STRUCTURE_VALUE",
    }
}
