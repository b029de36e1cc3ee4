//! A JSON object, member by member → checked values and the list of everything wrong with it.
//! Knows no member of any definition.

use serde_json::{Map, Value};

use super::shape::{Member, Shape};
use crate::aws::fault::{Faults, shown};

/// One structure of a definition. Each member is taken by its name; what nobody took is a fault.
pub struct Members<'a> {
    path: String,
    values: &'a Map<String, Value>,
    known: Vec<&'static str>,
    is_free: fn(&str) -> bool,
    faults: &'a mut Faults,
}

/// Reads a whole definition. None from `read` stands for a value that was refused.
pub fn read<T>(values: &Map<String, Value>, read: impl FnOnce(&mut Members) -> Option<T>) -> Result<T, Faults> {
    let mut faults = Faults::default();
    let value = Members::new(String::new(), values, &mut faults).read_all(read);
    if faults.is_empty() { Ok(value.expect("only a fault leaves no value. This is a bug.")) } else { Err(faults) }
}

impl<'a> Members<'a> {
    fn new(path: String, values: &'a Map<String, Value>, faults: &'a mut Faults) -> Self {
        Self { path, values, known: Vec::new(), is_free: |_| false, faults }
    }

    fn read_all<T>(mut self, read: impl FnOnce(&mut Members) -> T) -> T {
        let value = read(&mut self);
        self.refuse_unknown();
        value
    }

    /// None where the member is absent or refused.
    pub fn take<S: Shape>(&mut self, name: &'static str, shape: &S) -> Option<S::Read> {
        shape.read(self.member(name)?)
    }

    /// None where the member is absent or no structure.
    pub fn structure<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Members) -> T) -> Option<T> {
        let mut member = self.member(name)?;
        let values = member.of_kind(member.value.as_object(), "a Structure")?;
        Some(Members::new(member.path, values, member.faults).read_all(read))
    }

    /// Members of any other name that `is_free`: they have a shape, and nobody reads them.
    pub fn pass_over<S: Shape>(&mut self, is_free: fn(&str) -> bool, shape: &S, constraint: &str) {
        self.is_free = is_free;
        for (name, value) in self.values.iter().filter(|(name, _)| is_free(name)) {
            let (path, mut faults) = (join(&self.path, &shown(name)), Faults::default());
            shape.read(Member { value, path: path.clone(), faults: &mut faults });
            if !faults.is_empty() {
                self.faults.push(&path, &"(not shown)".into(), constraint);
            }
        }
    }

    pub fn require(&mut self, name: &str) {
        if !self.has(name) {
            self.refuse(name, "Member must not be null");
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.given(name).is_some()
    }

    /// A fault that no shape could see.
    pub fn refuse(&mut self, name: &str, constraint: &str) {
        let value = self.given(name).unwrap_or(&Value::Null);
        self.faults.push(&self.path_of(name), value, constraint);
    }

    /// All of it, as it was given.
    pub fn to_value(&self) -> Value {
        Value::Object(self.values.clone())
    }

    fn member(&mut self, name: &'static str) -> Option<Member<'_>> {
        if !self.known.contains(&name) {
            self.known.push(name);
        }
        Some(Member { value: self.given(name)?, path: self.path_of(name), faults: &mut *self.faults })
    }

    /// Null says nothing.
    fn given(&self, name: &str) -> Option<&'a Value> {
        self.values.get(name).filter(|value| !value.is_null())
    }

    fn path_of(&self, name: &str) -> String {
        join(&self.path, &lower_camel(name))
    }

    fn refuse_unknown(&mut self) {
        let is_known = |name: &str| self.known.contains(&name) || (self.is_free)(name);
        let constraint = format!("Member must have one of the names [{}]", self.known.join(", "));
        for (name, value) in self.values.iter().filter(|(name, _)| !is_known(name)) {
            self.faults.push(&join(&self.path, &shown(name)), value, &constraint);
        }
    }
}

pub fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A variable's name stays as it is.
pub fn lower_camel(name: &str) -> String {
    let is_variable = !name.contains(|c: char| c.is_ascii_lowercase());
    let mut name = name.to_owned();
    if let Some(first) = name.get_mut(..1).filter(|_| !is_variable) {
        first.make_ascii_lowercase();
    }
    name
}
