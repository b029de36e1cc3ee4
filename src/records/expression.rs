//! JMESPath expressions from configs and requests, compiled once and evaluated on one record at a time.

use jmespath::{Context, DEFAULT_RUNTIME, Rcvar, Variable, interpret};

/// A compiled expression.
#[derive(Debug)]
pub struct Expression(jmespath::Expression<'static>);

/// What an expression sees and gives: JSON whose arrays and objects share their elements.
pub type Json = Rcvar;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    #[error("the expression {expression:?} does not parse (literals stand in backticks, as `0.5`): {reason}")]
    DoesNotParse { expression: String, reason: String },
    #[error("the expression {expression:?} fails: {reason}")]
    Fails { expression: String, reason: String },
}

impl Expression {
    pub fn compile(text: &str) -> Result<Self, ExpressionError> {
        let does_not_parse = |error: jmespath::JmespathError| ExpressionError::DoesNotParse {
            expression: text.to_owned(),
            reason: first_line(&error),
        };
        jmespath::compile(text).map(Self).map_err(does_not_parse)
    }

    pub fn text(&self) -> &str {
        self.0.as_str()
    }

    /// Parts of the result that come from `json` are the same allocations as there.
    pub fn evaluate(&self, json: &Json) -> Result<Json, ExpressionError> {
        let fails = |error: jmespath::JmespathError| ExpressionError::Fails {
            expression: self.text().to_owned(),
            reason: first_line(&error),
        };
        let mut context = Context::new(self.text(), &DEFAULT_RUNTIME);
        interpret(json, self.0.as_ast(), &mut context).map_err(fails)
    }
}

/// JSON text as an expression sees it.
pub fn parse_json(text: &str) -> Result<Json, serde_json::Error> {
    serde_json::from_str::<Variable>(text).map(Rcvar::new)
}

fn first_line(error: &jmespath::JmespathError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
