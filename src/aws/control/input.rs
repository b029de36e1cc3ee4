//! The members of a request whose shapes have been checked.

use serde_json::Value;

use super::resources::{Object, Tag};

/// A structure of a request. Null says nothing.
#[derive(Clone, Copy)]
pub struct Input<'a>(pub &'a Object);

impl<'a> Input<'a> {
    pub fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// A required text.
    pub fn text(self, name: &str) -> &'a str {
        self.find_text(name).expect("required members have been checked. This is a bug.")
    }

    pub fn find_text(self, name: &str) -> Option<&'a str> {
        self.get(name).and_then(Value::as_str)
    }

    pub fn find_number(self, name: &str) -> Option<f64> {
        self.get(name).and_then(Value::as_f64)
    }

    pub fn find_count(self, name: &str) -> Option<u64> {
        self.get(name).and_then(Value::as_u64)
    }

    pub fn is_true(self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub fn structure(self, name: &str) -> Option<Input<'a>> {
        self.get(name).and_then(Value::as_object).map(Input)
    }

    pub fn list(self, name: &str) -> &'a [Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub fn structures(self, name: &str) -> impl Iterator<Item = Input<'a>> {
        self.list(name).iter().filter_map(Value::as_object).map(Input)
    }

    pub fn texts(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.list(name).iter().filter_map(Value::as_str)
    }

    /// Of a key given twice the last one.
    pub fn tags(self) -> Vec<Tag> {
        let mut tags = Vec::new();
        for tag in self.structures("Tags") {
            set_tag(&mut tags, tag.text("Key"), tag.text("Value"));
        }
        tags
    }

    /// All that was given, but for these.
    pub fn without(self, names: &[&str]) -> Object {
        let given = self.0.iter().filter(|(name, value)| !names.contains(&name.as_str()) && !value.is_null());
        given.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

pub fn set_tag(tags: &mut Vec<Tag>, key: &str, value: &str) {
    match tags.iter_mut().find(|tag| tag.key == key) {
        Some(tag) => value.clone_into(&mut tag.value),
        None => tags.push(Tag { key: key.to_owned(), value: value.to_owned() }),
    }
}
