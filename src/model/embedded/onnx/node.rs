//! A node of the graph with its attributes by name.
//! Knows nothing of what operators do.

use std::collections::HashMap;

use super::proto::{AttributeProto, NodeProto};
use super::tensor::{Constant, text};
use super::{OnnxError, cut, wrong};

pub(super) struct Node {
    /// As an error names it.
    pub place: String,
    pub operator: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    attributes: HashMap<String, AttributeProto>,
}

impl Node {
    pub fn read(index: usize, node: NodeProto) -> Result<Self, OnnxError> {
        let place = format!("node {index} \"{}\" ({})", cut(&node.name), cut(&node.op_type));
        // Of what ONNX Runtime adds to ONNX only this is known.
        let (domains, expected): (&[&str], &str) = match node.op_type.as_str() {
            "Tokenizer" => (&["com.microsoft"], "com.microsoft"),
            _ => (&["", "ai.onnx", "ai.onnx.ml"], "ai.onnx or ai.onnx.ml"),
        };
        if !domains.contains(&node.domain.as_str()) {
            return Err(OnnxError::at(place, wrong("the domain", node.domain, expected)));
        }
        let attributes = node.attributes()?.into_iter().map(|attribute| (attribute.name.clone(), attribute));
        Ok(Self {
            place,
            attributes: attributes.collect(),
            operator: node.op_type,
            inputs: node.input,
            outputs: node.output,
        })
    }

    pub fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }

    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attributes.get(name).map_or(default, |attribute| attribute.i)
    }

    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attributes.get(name).map_or(default, |attribute| attribute.f)
    }

    pub fn ints(&self, name: &str) -> &[i64] {
        self.attributes.get(name).map_or(&[], |attribute| &attribute.ints)
    }

    pub fn floats(&self, name: &str) -> &[f32] {
        self.attributes.get(name).map_or(&[], |attribute| &attribute.floats)
    }

    pub fn text(&self, name: &str, default: &str) -> Result<String, String> {
        self.attributes.get(name).map_or(Ok(default.to_owned()), |attribute| text(&attribute.s))
    }

    pub fn texts(&self, name: &str) -> Result<Vec<String>, String> {
        self.attributes.get(name).map_or(Ok(Vec::new()), |attribute| attribute.strings.iter().map(text).collect())
    }

    pub fn tensor(&self, name: &str) -> Result<Option<Constant>, String> {
        let tensor = self.attributes.get(name).and_then(|attribute| attribute.t.as_ref());
        tensor.map(Constant::read).transpose()
    }

    /// The list NAME, or the tensor NAME_as_tensor that later versions write.
    pub fn numbers(&self, name: &str) -> Result<Vec<f64>, String> {
        match self.tensor(&format!("{name}_as_tensor"))? {
            Some(tensor) => Ok(tensor.numbers()?.to_vec()),
            None => Ok(self.floats(name).iter().map(|&number| number.into()).collect()),
        }
    }

    /// Refuses an attribute that has not its usual number.
    pub fn expect(&self, name: &str, expected: i64) -> Result<(), String> {
        match self.int(name, expected) {
            actual if actual == expected => Ok(()),
            actual => Err(wrong(name, actual, expected)),
        }
    }
}
