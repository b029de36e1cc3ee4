//! ContentTemplate, e.g. `{"myfeatures":$features}` → what stands before and behind the features of a JSON line.
//! Knows nothing of features.

use super::json_tree::{JsonError, Tree};

/// The one placeholder.
const FEATURES: &str = "$features";

/// A JSON line is `before`, the array of features, `after`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    before: String,
    after: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("the template {template:?} has no $features")]
    NoFeatures { template: String },
    #[error("the template {template:?} has $features more than once")]
    Repeated { template: String },
    #[error("the template {template:?} has {name}; only $features is known")]
    Unknown { template: String, name: String },
    #[error("the template {template:?} is longer than one line")]
    Lines { template: String },
    #[error("the template {template:?} is not JSON with [\"x\"] in place of $features: {reason}")]
    NotJson { template: String, reason: JsonError },
}

impl Template {
    pub fn compile(text: &str) -> Result<Self, TemplateError> {
        let template = || text.to_owned();
        if let Some(name) = placeholders(text).find(|name| *name != FEATURES) {
            return Err(TemplateError::Unknown { template: template(), name: name.to_owned() });
        }
        let (before, after) =
            text.split_once(FEATURES).ok_or_else(|| TemplateError::NoFeatures { template: template() })?;
        if after.contains(FEATURES) {
            return Err(TemplateError::Repeated { template: template() });
        }
        if text.contains(['\n', '\r']) {
            return Err(TemplateError::Lines { template: template() });
        }
        // Inside a string of the template, the quotes of this feature would end it.
        Tree::read(&format!("{before}[\"x\"]{after}"))
            .map_err(|reason| TemplateError::NotJson { template: template(), reason })?;
        Ok(Self { before: before.to_owned(), after: after.to_owned() })
    }

    pub fn before(&self) -> &str {
        &self.before
    }

    pub fn after(&self) -> &str {
        &self.after
    }
}

/// Each `$` with the name that follows it; a `$` without a name is text.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let is_named = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices('$').filter_map(move |(start, _)| {
        let name = &text[start + 1..];
        let n_bytes = name.find(|c| !is_named(c)).unwrap_or(name.len());
        let begins_as_name = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
        (n_bytes > 0 && begins_as_name).then(|| &text[start..=start + n_bytes])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_cut_at_its_features() {
        for (text, before, after) in [
            ("{\"myfeatures\":$features}", "{\"myfeatures\":", "}"),
            ("$features", "", ""),
            ("{\"in $\": [$features, \"$5\"] }", "{\"in $\": [", ", \"$5\"] }"),
        ] {
            let template = Template::compile(text).expect(text);
            assert_eq!((template.before(), template.after()), (before, after));
        }
    }

    #[test]
    fn what_gives_no_json_line_is_refused() {
        for (text, fragment) in [
            ("", "has no $features"),
            ("{\"a\":1}", "has no $features"),
            ("{\"a\":${features}}", "has no $features"),
            ("{\"a\":$features,\"b\":$features}", "has $features more than once"),
            ("{\"a\":$feature}", "has $feature; only $features is known"),
            ("{\"a\":$features_x}", "has $features_x; only $features is known"),
            ("{\"a\":$features,\"b\":$record}", "has $record; only $features is known"),
            ("{\"a\":\n$features}", "is longer than one line"),
            ("{\"a\":$features", "the record ends too early"),
            ("{\"a\":\"$features\"}", "is not JSON with [\"x\"]"),
            ("{$features:1}", "is not JSON with [\"x\"]"),
            ("$features $features_", "has $features_; only"),
        ] {
            let error = Template::compile(text).expect_err(text).to_string();
            assert!(error.contains(fragment), "{text}: {error}");
        }
    }
}
