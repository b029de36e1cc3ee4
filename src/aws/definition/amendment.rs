//! Members that a definition should have → the same definition with them, and lines to paste. Checks no member.

use serde_json::{Map, Value};

/// Some members of one place. Null stands for a member that should not be there.
#[derive(Clone, Debug, PartialEq)]
pub struct Amendment {
    pub place: Place,
    members: Map<String, Value>,
}

/// Where in a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    InferenceConfig,
    Environment,
}

impl Place {
    pub fn path(self) -> &'static str {
        match self {
            Self::InferenceConfig => "ExplainerConfig.ClarifyExplainerConfig.InferenceConfig",
            Self::Environment => "PrimaryContainer.Environment",
        }
    }
}

impl Amendment {
    pub fn new<'a>(place: Place, members: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        Self { place, members: members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
    }

    /// The definition with these members in place of its own.
    pub fn apply(&self, mut definition: Value) -> Value {
        let place = self.place.path().split('.').fold(&mut definition, |part, name| &mut structure(part)[name]);
        structure(place).as_object_mut().expect("is a structure. This is a bug.").extend(self.members.clone());
        definition
    }

    /// With the members of another one for the same place, which win.
    pub fn and(mut self, other: &Self) -> Self {
        self.members.extend(other.members.clone());
        self
    }

    /// What stands between the braces of its place, each member on a line of its own.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.members.iter().map(|(name, value)| format!("{}: {value},", Value::from(name.as_str()))).collect();
        if let Some(last) = lines.last_mut() {
            last.pop();
        }
        lines
    }
}

/// What is no structure yet becomes one.
fn structure(part: &mut Value) -> &mut Value {
    if !part.is_object() {
        *part = Map::new().into();
    }
    part
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_added_and_replaced_where_they_belong() {
        let index = Amendment::new(Place::InferenceConfig, [("ProbabilityIndex", json!(1))]);
        let protocol = Amendment::new(Place::Environment, [("EXPLAIND_PROTOCOL", json!("mlflow"))]);
        let inference = |inference: Value| json!({"ClarifyExplainerConfig": {"InferenceConfig": inference}});
        for (before, after) in [
            (json!({}), inference(json!({"ProbabilityIndex": 1}))),
            (json!({"ClarifyExplainerConfig": null}), inference(json!({"ProbabilityIndex": 1}))),
            (inference(json!({"ProbabilityIndex": 7})), inference(json!({"ProbabilityIndex": 1}))),
            (inference(json!({"LabelIndex": 0})), inference(json!({"LabelIndex": 0, "ProbabilityIndex": 1}))),
        ] {
            let amended = protocol.apply(index.apply(json!({"EndpointName": "e", "ExplainerConfig": before})));
            assert_eq!(amended["ExplainerConfig"], after);
            assert_eq!(amended["EndpointName"], "e");
            assert_eq!(amended["PrimaryContainer"], json!({"Environment": {"EXPLAIND_PROTOCOL": "mlflow"}}));
        }
    }

    #[test]
    fn lines_between_braces_are_json() {
        let template = Amendment::new(Place::InferenceConfig, [("ContentTemplate", json!("{\"x\":$features}"))]);
        let both = template.and(&Amendment::new(Place::InferenceConfig, [("FeaturesAttribute", json!("x"))]));
        assert_eq!(both.lines(), [r#""ContentTemplate": "{\"x\":$features}","#, r#""FeaturesAttribute": "x""#]);
        let object: Value = serde_json::from_str(&format!("{{{}}}", both.lines().join("\n"))).expect("is JSON");
        assert_eq!(object, json!({"ContentTemplate": "{\"x\":$features}", "FeaturesAttribute": "x"}));
    }
}
