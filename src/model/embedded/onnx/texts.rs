//! StringNormalizer and Tokenizer: a column of text → its tokens.

use std::rc::Rc;
use std::sync::Arc;

use super::node::Node;
use super::values::{Context, Value};
use super::wrong;
use crate::model::embedded::text::{Source, Tokenizer};

/// Tables of all expressions of a graph.
const TOKENIZER_BYTES_MAX: usize = 32 << 20;

/// A text cut by an expression.
#[derive(Debug)]
pub(super) struct Tokens {
    pub source: Source,
    pub tokenizer: Arc<Tokenizer>,
}

fn source(value: &Value) -> Result<Source, String> {
    match value {
        Value::Texts(features) => match features.as_slice() {
            &[feature] => Ok(Source { feature, is_lower: false }),
            _ => Err(wrong("the number of columns", features.len(), "1")),
        },
        &Value::Lower(feature) => Ok(Source { feature, is_lower: true }),
        _ => Err("its input is no text of the record".to_owned()),
    }
}

pub(super) fn string_normalizer(node: &Node, value: &Value) -> Result<Value, String> {
    let source = source(value)?;
    if node.has("stopwords") && !node.texts("stopwords")?.is_empty() {
        return Err("stopwords are not supported".to_owned());
    }
    check_locale(&node.text("locale", "en_US.UTF-8")?)?;
    let action = node.text("case_change_action", "NONE")?;
    match action.as_str() {
        "NONE" => Ok(value.clone()),
        "LOWER" => Ok(Value::Lower(source.feature)),
        _ => Err(wrong("case_change_action", action, "LOWER or NONE")),
    }
}

/// Case is the same in all languages, but for Turkish, for Azerbaijani, and where there is only ASCII.
fn check_locale(locale: &str) -> Result<(), String> {
    let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default().to_ascii_lowercase();
    match language.as_str() {
        "tr" | "az" => Err(wrong("locale", locale, "a language that has i for I")),
        _ if ["C", "POSIX"].contains(&locale) => Err(wrong("locale", locale, "one with UTF-8")),
        _ => Ok(()),
    }
}

pub(super) fn tokenizer(context: &mut Context, node: &Node, value: &Value) -> Result<Value, String> {
    let source = source(value)?;
    let (expression, chars_min) = cutting(node)?;
    let tokenizer = compiled(context, expression, chars_min)?;
    Ok(Value::Tokens(Rc::new(Tokens { source, tokenizer })))
}

/// An expression, and the characters of a token at least.
fn cutting(node: &Node) -> Result<(String, usize), String> {
    node.expect("mark", 0)?;
    if node.has("separators") {
        return Err("separators are not supported; expected tokenexp".to_owned());
    }
    let expression = node.text("tokenexp", "")?;
    let chars_min = usize::try_from(node.int("mincharnum", 1)).ok().filter(|&least| least >= 1);
    let chars_min = chars_min.ok_or_else(|| wrong("mincharnum", node.int("mincharnum", 1), "1 or more"))?;
    if expression.is_empty() || (expression == "." && chars_min > 1) {
        return Err(wrong("tokenexp", format!("\"{expression}\""), "an expression that can give tokens"));
    }
    Ok((expression, chars_min))
}

/// The one tokenizer of the graph with this expression.
fn compiled(context: &mut Context, expression: String, chars_min: usize) -> Result<Arc<Tokenizer>, String> {
    let key = (expression, chars_min);
    if let Some(known) = context.tokenizers.get(&key) {
        return Ok(Arc::clone(known));
    }
    let tokenizer = Tokenizer::new(&key.0, chars_min);
    let tokenizer = Arc::new(tokenizer.map_err(|error| format!("tokenexp \"{}\": {error}", super::cut(&key.0)))?);
    context.tokenizer_bytes += tokenizer.bytes();
    if context.tokenizer_bytes > TOKENIZER_BYTES_MAX {
        let actual = format!("{} bytes", context.tokenizer_bytes);
        return Err(wrong(
            "the size of all expressions up to here",
            actual,
            format!("at most {TOKENIZER_BYTES_MAX}"),
        ));
    }
    context.tokenizers.insert(key, Arc::clone(&tokenizer));
    Ok(tokenizer)
}
