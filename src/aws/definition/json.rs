//! Bytes → one JSON object whose objects hold each member once; serde_json alone would keep the last of two.

use std::fmt::{self, Formatter};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::aws::fault::shown;

/// Line and column are in the error.
pub fn read_object(bytes: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let object = deserializer.deserialize_map(ObjectVisitor)?;
    deserializer.end()?;
    Ok(object)
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!("the member \"{}\" is given twice", shown(&name))));
            }
            let Distinct(value) = members.next_value()?;
            object.insert(name, value);
        }
        Ok(object)
    }
}

/// A value with no member twice, at any depth.
struct Distinct(Value);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Distinct(element)) = elements.next_element()? {
            list.push(element);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Value, A::Error> {
        ObjectVisitor.visit_map(members).map(Value::Object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_read_as_they_stand() {
        let json = r#" {"a": [null, true, -1, 18446744073709551615, 0.5, "é\u00e9"], "b": {"a": {}}} "#;
        let expected = json!({"a": [null, true, -1, u64::MAX, 0.5, "éé"], "b": {"a": {}}});
        assert_eq!(read_object(json.as_bytes()).map(Value::Object).expect("is JSON"), expected);
    }

    #[test]
    fn what_is_not_one_object_is_refused_with_its_place() {
        let deep = format!("{{\"a\": {}", "[".repeat(200));
        for (json, reason) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("[]", "invalid type: sequence, expected an object at line 1 column 0"),
            ("7", "invalid type: integer `7`, expected an object at line 1 column 1"),
            ("{}\n{}", "trailing characters at line 2 column 1"),
            ("{\"a\": 1,\n\"a\": 2}", "the member \"a\" is given twice at line 2 column 3"),
            ("{\"a\": [{\"b\": 1, \"b\": 1}]}", "the member \"b\" is given twice at line 1 column 19"),
            ("{\"a\": 1e999}", "number out of range at line 1 column 11"),
            (&deep, "recursion limit exceeded at line 1 column 133"),
        ] {
            assert_eq!(read_object(json.as_bytes()).expect_err("is refused").to_string(), reason);
        }
    }
}
