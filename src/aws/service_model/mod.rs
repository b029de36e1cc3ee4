//! Inputs of the control plane → all that AWS's service model has against them. The model is data: `sagemaker.json`,
//! written by `tests/clients/boto3/service_model.py`. Knows not what any operation does.

#[cfg(test)]
mod agreement;
mod check;
mod extension;
mod shape;
#[cfg(test)]
mod tests;
mod timestamp;

use serde_json::{Map, Value};

use super::definition::shape::{Member, Shape};
use super::fault::Faults;
use shape::MODEL;
pub use timestamp::seconds;

/// The operations of the model, in the order of the alphabet.
pub fn operations() -> impl Iterator<Item = &'static str> {
    MODEL.operations.keys().map(String::as_str)
}

/// Whether `input` has the types, required members, limits, patterns and words of one of `operations`. Null says
/// nothing; a member that the model has not is a fault.
pub fn check(operation: &str, input: &Map<String, Value>) -> Result<(), Faults> {
    let shape = MODEL.operations.get(operation).expect("is an operation of the model. This is a bug.");
    let mut faults = Faults::default();
    check::structure(shape, input, &mut faults);
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// A member of a definition that the model's shape of this name describes, and that has no effect here.
pub struct OfShape(pub &'static str);

impl Shape for OfShape {
    type Read = ();

    fn read(&self, member: Member) -> Option<()> {
        check::check(self.0, member.value, member.path, member.faults);
        Some(())
    }
}
