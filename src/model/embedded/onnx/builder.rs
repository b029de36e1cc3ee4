//! ONNX files made node by node, for tests.

use bytes::Bytes;
use prost::Message;

use super::proto::{
    AttributeProto, DimProto, GraphProto, ModelProto, NodeProto, OpsetProto, ShapeProto, TensorProto,
    TensorTypeProto, TypeProto, ValueInfoProto, elem,
};

#[derive(Clone, Default)]
pub(super) struct Builder {
    graph: GraphProto,
}

impl Builder {
    /// Columns of one tensor.
    pub fn input(mut self, name: &str, elem_type: i32, width: i64) -> Self {
        self.graph.input.push(value_info(name, Some(elem_type), &[0, width]));
        self
    }

    pub fn output(mut self, name: &str, elem_type: i32) -> Self {
        self.graph.output.push(value_info(name, Some(elem_type), &[]));
        self
    }

    /// An output that is no tensor, as a ZipMap gives it.
    pub fn sequence_output(mut self, name: &str) -> Self {
        self.graph.output.push(value_info(name, None, &[]));
        self
    }

    /// A node with its inputs and outputs, each in words.
    pub fn node(self, operator: &str, inputs: &str, outputs: &str, attributes: Vec<AttributeProto>) -> Self {
        self.node_of("ai.onnx.ml", operator, inputs, outputs, attributes)
    }

    pub fn node_of(
        mut self,
        domain: &str,
        operator: &str,
        inputs: &str,
        outputs: &str,
        attributes: Vec<AttributeProto>,
    ) -> Self {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        let node = NodeProto {
            input: words(inputs),
            output: words(outputs),
            name: format!("{operator}-1"),
            op_type: operator.to_owned(),
            attribute: attributes.iter().map(bytes).collect(),
            domain: domain.to_owned(),
        };
        self.graph.node.push(bytes(&node));
        self
    }

    pub fn floats(self, name: &str, dims: &[i64], numbers: &[f32]) -> Self {
        let (dims, float_data) = (dims.to_vec(), numbers.to_vec());
        self.tensor(name, TensorProto { data_type: elem::FLOAT, dims, float_data, ..TensorProto::default() })
    }

    pub fn integers(self, name: &str, numbers: &[i64]) -> Self {
        let (dims, int64_data) = (vec![numbers.len() as i64], numbers.to_vec());
        self.tensor(name, TensorProto { data_type: elem::INT64, dims, int64_data, ..TensorProto::default() })
    }

    pub fn tensor(mut self, name: &str, tensor: TensorProto) -> Self {
        self.graph.initializer.push(bytes(&TensorProto { name: name.to_owned(), ..tensor }));
        self
    }

    pub fn file(&self) -> Vec<u8> {
        let opset = OpsetProto { domain: String::new(), version: 17 };
        let model = ModelProto { graph: Some(bytes(&self.graph)), opset_import: vec![bytes(&opset)] };
        // The version of the format comes first.
        [&[0x08, 0x08], model.encode_to_vec().as_slice()].concat()
    }
}

fn bytes(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

fn value_info(name: &str, elem_type: Option<i32>, dims: &[i64]) -> Bytes {
    let dim = dims.iter().map(|&dim_value| DimProto { dim_value }).collect();
    let tensor = |elem_type| TensorTypeProto { elem_type, shape: Some(ShapeProto { dim }) };
    let r#type = Some(TypeProto { tensor_type: elem_type.map(tensor) });
    bytes(&ValueInfoProto { name: name.to_owned(), r#type })
}

fn attribute(name: &str) -> AttributeProto {
    AttributeProto { name: name.to_owned(), ..AttributeProto::default() }
}

pub(super) fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { i, ..attribute(name) }
}

pub(super) fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { ints: ints.to_vec(), ..attribute(name) }
}

pub(super) fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { f, ..attribute(name) }
}

pub(super) fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto { floats: floats.to_vec(), ..attribute(name) }
}

pub(super) fn text(name: &str, text: &str) -> AttributeProto {
    AttributeProto { s: text.to_owned().into(), ..attribute(name) }
}

pub(super) fn texts(name: &str, texts: &[&str]) -> AttributeProto {
    AttributeProto { strings: texts.iter().map(|text| (*text).to_owned().into()).collect(), ..attribute(name) }
}
