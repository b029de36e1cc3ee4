//! A value against its shape → faults in AWS's words. What may hold a secret is not shown: the values of a map,
//! baselines, and whatever stands where a structure, a list or a map should.

use std::fmt::Display;

use serde_json::{Map, Number, Value};

use super::extension;
use super::shape::{Limits, MODEL, Shape, Structure, Text};
use super::timestamp;
use crate::aws::definition::members::{join, lower_camel};
use crate::aws::definition::shape::{one_of, token};
use crate::aws::fault::{Faults, shown};

/// Shapes whose texts are rows of data or secrets.
const HIDDEN: [&str; 2] = ["ClarifyShapBaseline", "EnvironmentValue"];

/// A value, where it stands, and where its faults go.
struct Member<'a> {
    value: &'a Value,
    /// What faults tell of the value.
    told: &'a Value,
    path: String,
    faults: &'a mut Faults,
}

/// The members of an operation's input.
pub fn structure(shape: &str, values: &Map<String, Value>, faults: &mut Faults) {
    match MODEL.shape(shape) {
        Shape::Structure(structure) => check_members(structure, "", values, faults),
        _ => unreachable!("inputs are structures. This is a bug."),
    }
}

fn check_members(structure: &Structure, path: &str, values: &Map<String, Value>, faults: &mut Faults) {
    for (name, shape) in &structure.members {
        let path = join(path, &lower_camel(name));
        match values.get(name).filter(|value| !value.is_null()) {
            Some(value) => check(shape, value, path, faults),
            None if structure.required.contains(name) => {
                faults.push(&path, &Value::Null, "Member must not be null");
            }
            None => {}
        }
    }
    let names: Vec<&str> = structure.members.keys().map(String::as_str).collect();
    let constraint = format!("Member must have one of the names [{}]", names.join(", "));
    for name in values.keys().filter(|name| !structure.members.contains_key(*name)) {
        faults.push(&join(path, &shown(name)), &not_shown(), &constraint);
    }
}

/// One value and all below it.
pub fn check(shape: &str, value: &Value, path: String, faults: &mut Faults) {
    let (kind, not_shown) = (MODEL.shape(shape), not_shown());
    let told = if is_hidden(shape, kind, value) { &not_shown } else { value };
    let mut member = Member { value, told, path, faults };
    match kind {
        Shape::Structure(structure) => {
            if let Some(values) = member.of_kind(value.as_object(), "a Structure") {
                check_members(structure, &member.path, values, member.faults);
            }
        }
        Shape::List { member: element, count } => member.check_list(element, *count),
        Shape::Map { key, value, count } => member.check_map(key, value, *count),
        Shape::String(text) => member.check_text(shape, text),
        Shape::Integer(limits) => {
            let whole = member.of_kind(value.as_number().and_then(Number::as_i128), "an Integer");
            member.refuse_some(whole.and_then(|whole| limits.or(i64::MIN, i64::MAX).widened().fault(whole)));
        }
        Shape::Float(limits) => {
            let number = member.of_kind(value.as_f64(), "a Float");
            let limits = limits.or(f32::MIN.into(), f32::MAX.into());
            member.refuse_some(number.and_then(|number| limits.fault(number)));
        }
        Shape::Boolean => drop(member.of_kind(value.as_bool(), "a Boolean")),
        Shape::Timestamp => drop(member.of_kind(timestamp::seconds(value), "a Timestamp")),
    }
}

fn is_hidden(shape: &str, kind: &Shape, value: &Value) -> bool {
    let is_simple = !matches!(kind, Shape::Structure(_) | Shape::List { .. } | Shape::Map { .. });
    match value {
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::String(_) => !is_simple || HIDDEN.contains(&shape),
        Value::Null => false,
        _ => HIDDEN.contains(&shape),
    }
}

fn not_shown() -> Value {
    "(not shown)".into()
}

impl Member<'_> {
    fn refuse(&mut self, constraint: impl Display) {
        self.faults.push(&self.path, self.told, constraint);
    }

    fn refuse_some(&mut self, constraint: Option<String>) {
        if let Some(constraint) = constraint {
            self.refuse(constraint);
        }
    }

    /// `read` is the value, if it is of the wanted kind.
    fn of_kind<T>(&mut self, read: Option<T>, kind: &str) -> Option<T> {
        match (&read, self.value) {
            (Some(_), _) => {}
            (None, Value::Null) => self.refuse("Member must not be null"),
            (None, value) => self.refuse(format_args!("{} can not be converted to {kind}", token(value))),
        }
        read
    }

    /// Of a list that is too long no element is looked at.
    fn check_list(mut self, element: &str, count: Limits<usize>) {
        let Some(elements) = self.of_kind(self.value.as_array(), "a List") else { return };
        if let Some(constraint) = count.length_fault(elements.len()) {
            return self.refuse(constraint);
        }
        for (i, value) in elements.iter().enumerate() {
            check(element, value, format!("{}.{}.member", self.path, i + 1), self.faults);
        }
    }

    fn check_map(mut self, key_shape: &str, value_shape: &str, count: Limits<usize>) {
        let Some(entries) = self.of_kind(self.value.as_object(), "a Map") else { return };
        if let Some(constraint) = count.length_fault(entries.len()) {
            return self.refuse(constraint);
        }
        for (key, value) in entries {
            let path = join(&self.path, &shown(key));
            if let Shape::String(text) = MODEL.shape(key_shape) {
                for constraint in text_faults(key_shape, text, key) {
                    let constraint = format_args!("Map keys must satisfy constraint: [{constraint}]");
                    self.faults.push(&path, &not_shown(), constraint);
                }
            }
            check(value_shape, value, path, self.faults);
        }
    }

    fn check_text(mut self, shape: &str, text: &Text) {
        let Some(value) = self.of_kind(self.value.as_str(), "a String") else { return };
        for constraint in text_faults(shape, text, value) {
            self.refuse(constraint);
        }
    }
}

fn text_faults(shape: &str, text: &Text, value: &str) -> Vec<String> {
    let mut faults: Vec<String> = text.chars.length_fault(value.chars().count()).into_iter().collect();
    let is_admitted = || extension::admits(shape, value);
    if let Some(pattern) = text.pattern.as_ref().filter(|pattern| !pattern.admits(value) && !is_admitted()) {
        faults.push(format!("Member must satisfy regular expression pattern: {}", pattern.shown));
    }
    if !text.words.is_empty() && !text.words.iter().any(|word| word == value) && !is_admitted() {
        faults.push(one_of(&text.words));
    }
    faults
}
