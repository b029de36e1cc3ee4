//! JMESPath expressions from configs and requests, compiled once and evaluated on one record at a time.
//! Neither a text nor a record makes one panic, nest deeper than the stack or take more steps than the limit.

mod bound;

use std::sync::LazyLock;

use jmespath::ast::Ast;
use jmespath::functions::{ArgumentType, CustomFunction, Signature};
use jmespath::{Context, JmespathError, Rcvar, Runtime, Variable, interpret};

/// What an expression sees and gives: JSON whose arrays and objects share their elements.
pub type Json = Rcvar;

/// Characters of a text: the parser and the interpreter go as deep as a text is long.
const TEXT_CHARS_MAX: usize = 128;
/// Steps of one expression on one record, as `bound` counts them.
const STEPS_MAX: u64 = 10_000_000;
/// Indexes and slice steps, either sign. The interpreter adds them to positions in 32 bits.
const INDEX_MAX: u32 = 1 << 30;
/// The only functions that take `&expression`, so that such a value never stands in a result.
const TAKE_REFERENCES: [&str; 4] = ["map", "max_by", "min_by", "sort_by"];

/// A compiled expression.
#[derive(Debug)]
pub struct Expression {
    text: String,
    ast: Ast,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    #[error("the expression has {chars} characters; the limit is {TEXT_CHARS_MAX} characters")]
    TooLong { chars: usize },
    #[error("the expression {expression:?} does not parse (literals stand in backticks, as `0.5`): {reason}")]
    DoesNotParse { expression: String, reason: String },
    #[error("the expression {expression:?} is refused: {reason}")]
    Refused { expression: String, reason: String },
    #[error("the expression {expression:?} fails: {reason}")]
    Fails { expression: String, reason: String },
    #[error(
        "the expression {expression:?} may take {steps} steps on this record; \
         the limit is {STEPS_MAX} steps"
    )]
    TooManySteps { expression: String, steps: u64 },
}

impl Expression {
    pub fn compile(text: &str) -> Result<Self, ExpressionError> {
        let chars = text.chars().count();
        if chars > TEXT_CHARS_MAX {
            return Err(ExpressionError::TooLong { chars });
        }
        let expression = || text.to_owned();
        let ast = jmespath::parse(text).map_err(|error| ExpressionError::DoesNotParse {
            expression: expression(),
            reason: first_line(&error),
        })?;
        check(&ast).map_err(|reason| ExpressionError::Refused { expression: expression(), reason })?;
        Ok(Self { text: expression(), ast })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether its result may stand in the order of an object's keys, which is not the order they were written in.
    pub fn lists_members(&self) -> bool {
        lists_members(&self.ast)
    }

    /// Parts of the result that come from `json` are the same allocations as there.
    pub fn evaluate(&self, json: &Json) -> Result<Json, ExpressionError> {
        self.evaluate_counted(json).map(|(result, _)| result)
    }

    /// The result, and at most how many steps it took.
    pub(super) fn evaluate_counted(&self, json: &Json) -> Result<(Json, u64), ExpressionError> {
        let steps = bound::steps(&self.ast, json);
        if steps > STEPS_MAX {
            return Err(ExpressionError::TooManySteps { expression: self.text.clone(), steps });
        }
        let mut context = Context::new(&self.text, &RUNTIME);
        let result = interpret(json, &self.ast, &mut context).map_err(|error| ExpressionError::Fails {
            expression: self.text.clone(),
            reason: first_line(&error),
        })?;
        Ok((result, steps))
    }
}

/// JSON text as an expression sees it. Text that nests 128 levels deep or deeper is refused.
pub fn parse_json(text: &str) -> Result<Json, serde_json::Error> {
    serde_json::from_str::<Variable>(text).map(Rcvar::new)
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Runtime::new();
    runtime.register_builtin_functions();
    // The crate's own reads any JSON, so that a text may become a Boolean or a large array.
    let any = Signature::new(vec![ArgumentType::Any], None);
    let to_number = CustomFunction::new(any, Box::new(|args, _| Ok(to_number(&args[0]))));
    runtime.register_function("to_number", Box::new(to_number));
    runtime
});

fn to_number(json: &Json) -> Json {
    match json.as_ref() {
        Variable::Number(_) => json.clone(),
        Variable::String(text) => Rcvar::new(serde_json::from_str(text).map_or(Variable::Null, Variable::Number)),
        _ => Rcvar::new(Variable::Null),
    }
}

/// Refuses what parses but is not safe to evaluate.
fn check(ast: &Ast) -> Result<(), String> {
    match ast {
        Ast::Index { idx, .. } => check_index(*idx)?,
        Ast::Slice { start, stop, step, .. } => {
            [*start, *stop, Some(*step)].into_iter().flatten().try_for_each(check_index)?;
        }
        Ast::Function { name, args, .. } if TAKE_REFERENCES.contains(&name.as_str()) => {
            return args.iter().map(|arg| referenced(arg).unwrap_or(arg)).try_for_each(check);
        }
        Ast::Expref { .. } => return Err(format!("& stands only before an argument of {TAKE_REFERENCES:?}")),
        _ => {}
    }
    children(ast).into_iter().try_for_each(check)
}

fn lists_members(ast: &Ast) -> bool {
    let is_list = match ast {
        Ast::ObjectValues { .. } => true,
        Ast::Function { name, .. } => ["keys", "values"].contains(&name.as_str()),
        _ => false,
    };
    is_list || children(ast).into_iter().any(lists_members)
}

fn check_index(idx: i32) -> Result<(), String> {
    if idx.unsigned_abs() > INDEX_MAX {
        return Err(format!("{idx} in brackets is beyond the limit of {INDEX_MAX} elements"));
    }
    Ok(())
}

/// The expression behind an `&`.
fn referenced(ast: &Ast) -> Option<&Ast> {
    match ast {
        Ast::Expref { ast, .. } => Some(ast),
        _ => None,
    }
}

fn children(ast: &Ast) -> Vec<&Ast> {
    match ast {
        Ast::Identity { .. } | Ast::Field { .. } | Ast::Index { .. } | Ast::Literal { .. } | Ast::Slice { .. } => {
            vec![]
        }
        Ast::Expref { ast: node, .. }
        | Ast::Flatten { node, .. }
        | Ast::Not { node, .. }
        | Ast::ObjectValues { node, .. } => vec![node],
        Ast::Comparison { lhs, rhs, .. }
        | Ast::And { lhs, rhs, .. }
        | Ast::Or { lhs, rhs, .. }
        | Ast::Projection { lhs, rhs, .. }
        | Ast::Subexpr { lhs, rhs, .. }
        | Ast::Condition { predicate: lhs, then: rhs, .. } => vec![lhs, rhs],
        Ast::Function { args: nodes, .. } | Ast::MultiList { elements: nodes, .. } => nodes.iter().collect(),
        Ast::MultiHash { elements, .. } => elements.iter().map(|pair| &pair.value).collect(),
    }
}

/// The crate goes on with a drawing of where in the text it stopped.
fn first_line(error: &JmespathError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
