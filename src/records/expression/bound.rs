//! How many steps an expression may take on a value: an upper bound, found without evaluating it.
//!
//! Every bound f here holds f(a) + f(b) ≤ f(a + b), so what an expression does to all elements of an array costs at
//! most what it would cost on the array as one value.

use jmespath::Variable;
use jmespath::ast::{Ast, KeyValuePair};

use super::{Json, children, referenced};

/// So many bytes of a text weigh as much as one value.
const BYTES_PER_STEP: usize = 64;
/// A text grows by this factor at most when written as JSON: `\u0000` for one byte, and the quotes.
const WRITTEN_GROWTH: u64 = 8;

/// Steps of evaluating `ast` on `json`.
pub fn steps(ast: &Ast, json: &Json) -> u64 {
    bound(ast, size(json)).steps
}

/// Values, keys, and texts by their bytes; a shared part counts wherever it stands.
pub fn size(json: &Json) -> u64 {
    let mut size = 0_u64;
    let mut rest: Vec<&Variable> = vec![json];
    while let Some(value) = rest.pop() {
        size += match value {
            Variable::String(text) => text_size(text),
            _ => 1,
        };
        match value {
            Variable::Array(elements) => rest.extend(elements.iter().map(AsRef::as_ref)),
            Variable::Object(members) => {
                size += members.keys().map(|key| text_size(key)).sum::<u64>();
                rest.extend(members.values().map(AsRef::as_ref));
            }
            _ => {}
        }
    }
    size
}

fn text_size(text: &str) -> u64 {
    1 + (text.len() / BYTES_PER_STEP) as u64
}

#[derive(Clone, Copy, Debug)]
pub struct Bound {
    pub steps: u64,
    /// Of the result.
    pub size: u64,
}

impl Bound {
    fn plus(self, other: Self) -> Self {
        Self { steps: self.steps.saturating_add(other.steps), size: self.size.saturating_add(other.size) }
    }

    fn costing(self, steps: u64) -> Self {
        Self { steps: self.steps.saturating_add(steps), ..self }
    }

    fn with_size(self, size: u64) -> Self {
        Self { size, ..self }
    }
}

/// Bound for an input of size `n`, which is at least 1. No result is bounded by less than that.
pub fn bound(ast: &Ast, n: u64) -> Bound {
    let once = Bound { steps: n, size: n };
    match ast {
        Ast::Identity { .. } | Ast::Field { .. } | Ast::Index { .. } | Ast::Slice { .. } => once,
        Ast::Literal { value, .. } => once.with_size(n.saturating_mul(size(value))),
        Ast::Subexpr { lhs, rhs, .. } | Ast::Projection { lhs, rhs, .. } => {
            let left = bound(lhs, n);
            bound(rhs, left.size).costing(left.steps).costing(n)
        }
        Ast::Comparison { lhs, rhs, .. } => {
            let (left, right) = (bound(lhs, n), bound(rhs, n));
            once.costing(left.steps).costing(right.steps).costing(left.size.min(right.size))
        }
        Ast::Not { node, .. } => once.costing(bound(node, n).steps),
        Ast::Condition { predicate, then, .. } => bound(then, n).costing(bound(predicate, n).steps).costing(n),
        Ast::Function { name, args, .. } => call(name, args, once),
        Ast::MultiHash { elements, .. } => elements.iter().map(|pair| member(pair, n)).fold(once, Bound::plus),
        Ast::Flatten { .. }
        | Ast::ObjectValues { .. }
        | Ast::And { .. }
        | Ast::Or { .. }
        | Ast::MultiList { .. }
        | Ast::Expref { .. } => {
            children(ast).into_iter().map(|node| gathered(bound(node, n))).fold(once, Bound::plus)
        }
    }
}

/// A part whose elements are copied one by one.
fn gathered(part: Bound) -> Bound {
    part.costing(part.size)
}

fn member(pair: &KeyValuePair, n: u64) -> Bound {
    let key_size = n.saturating_mul(text_size(&pair.key));
    bound(&pair.value, n).plus(Bound { steps: key_size, size: key_size })
}

/// A function passes once over its arguments, or as often as it sorts, and gives parts of them, numbers or texts.
fn call(name: &str, args: &[Ast], once: Bound) -> Bound {
    let n = once.size;
    let values = args.iter().filter(|arg| referenced(arg).is_none());
    let values = values.map(|arg| bound(arg, n)).fold(once, Bound::plus);
    let applied = args.iter().filter_map(referenced).map(|ast| bound(ast, values.size));
    let result = applied.fold(values, Bound::plus);
    let size = match (name, args.first()) {
        // The glue stands once for each element.
        ("join", Some(Ast::Literal { value, .. })) => result.size.saturating_mul(1 + size(value)),
        ("join", Some(glue)) => result.size.saturating_mul(1 + bound(glue, n).size),
        ("to_string", _) => result.size.saturating_mul(WRITTEN_GROWTH),
        _ => result.size,
    };
    let passes = match name {
        "sort" | "sort_by" => 1 + u64::from(size.ilog2()),
        _ => 1,
    };
    result.with_size(size).costing(size.saturating_mul(passes))
}
