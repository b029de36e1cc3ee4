//! The messages of an ONNX file that count here, by their field numbers in `onnx.proto`.
//! Parts of which a file may hold many stay bytes until their number is checked: an empty message of two bytes would
//! take a hundred in memory.

use bytes::Bytes;
use prost::Message;

use super::{OnnxError, cut};

/// Nodes of a graph, and tensors beside them.
const NODES_MAX: usize = 16_384;
/// Attributes of one node.
const ATTRIBUTES_MAX: usize = 64;
/// Inputs and outputs of a graph, or of a node.
const EDGES_MAX: usize = 65_536;
/// Dimensions of a tensor.
const DIMS_MAX: usize = 8;

#[derive(Clone, PartialEq, Message)]
pub(super) struct ModelProto {
    #[prost(bytes = "bytes", optional, tag = "7")]
    pub graph: Option<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "8")]
    pub opset_import: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OpsetProto {
    #[prost(string, tag = "1")]
    pub domain: String,
    #[prost(int64, tag = "2")]
    pub version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct GraphProto {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub node: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub initializer: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "11")]
    pub input: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "12")]
    pub output: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    #[prost(string, tag = "3")]
    pub name: String,
    #[prost(string, tag = "4")]
    pub op_type: String,
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub attribute: Vec<Bytes>,
    #[prost(string, tag = "7")]
    pub domain: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AttributeProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(float, tag = "2")]
    pub f: f32,
    #[prost(int64, tag = "3")]
    pub i: i64,
    #[prost(bytes = "bytes", tag = "4")]
    pub s: Bytes,
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    #[prost(float, repeated, tag = "7")]
    pub floats: Vec<f32>,
    #[prost(int64, repeated, tag = "8")]
    pub ints: Vec<i64>,
    #[prost(bytes = "bytes", repeated, tag = "9")]
    pub strings: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    pub dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    #[prost(bytes = "bytes", repeated, tag = "6")]
    pub string_data: Vec<Bytes>,
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    #[prost(string, tag = "8")]
    pub name: String,
    #[prost(bytes = "bytes", tag = "9")]
    pub raw_data: Bytes,
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    /// 1: in another file.
    #[prost(int32, tag = "14")]
    pub data_location: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ValueInfoProto {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
}

/// Sequences and maps have no tensor type.
#[derive(Clone, PartialEq, Message)]
pub(super) struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TensorTypeProto {
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<ShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ShapeProto {
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimProto>,
}

/// 0 where the dimension has no number.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct DimProto {
    #[prost(int64, tag = "1")]
    pub dim_value: i64,
}

/// Numbers of the types of elements.
pub(super) mod elem {
    pub const FLOAT: i32 = 1;
    pub const INT32: i32 = 6;
    pub const INT64: i32 = 7;
    pub const STRING: i32 = 8;
    pub const BOOL: i32 = 9;
    pub const DOUBLE: i32 = 11;
}

/// A graph with its parts decoded.
pub(super) struct Graph {
    /// Of the operators without a domain.
    pub opset: i64,
    pub nodes: Vec<NodeProto>,
    pub initializers: Vec<TensorProto>,
    pub inputs: Vec<ValueInfoProto>,
    pub outputs: Vec<ValueInfoProto>,
}

pub(super) fn read(file: &[u8]) -> Result<Graph, OnnxError> {
    let model = decode::<ModelProto>(Bytes::copy_from_slice(file))?;
    let graph = decode::<GraphProto>(model.graph.ok_or(OnnxError::NoGraph)?)?;
    let opsets: Vec<OpsetProto> = decode_all("opset_import", model.opset_import, ATTRIBUTES_MAX)?;
    let opset = opsets.iter().find(|opset| opset.domain.is_empty() || opset.domain == "ai.onnx");
    Ok(Graph {
        opset: opset.map_or(1, |opset| opset.version),
        nodes: decode_all("node", graph.node, NODES_MAX)?,
        initializers: decode_all("initializer", graph.initializer, NODES_MAX)?,
        inputs: decode_all("input", graph.input, EDGES_MAX)?,
        outputs: decode_all("output", graph.output, EDGES_MAX)?,
    })
}

impl NodeProto {
    pub fn attributes(&self) -> Result<Vec<AttributeProto>, OnnxError> {
        check("input of a node", self.input.len(), EDGES_MAX)?;
        check("output of a node", self.output.len(), EDGES_MAX)?;
        decode_all("attribute of a node", self.attribute.clone(), ATTRIBUTES_MAX)
    }
}

impl TensorProto {
    /// Sizes of a tensor of so many elements.
    pub fn shape(&self, n_elements: usize) -> Result<Vec<usize>, String> {
        let dims: Option<Vec<usize>> = self.dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
        let shape = dims.filter(|dims| dims.len() <= DIMS_MAX);
        let product =
            |shape: &Vec<usize>| shape.iter().try_fold(1, |product: usize, &dim| product.checked_mul(dim));
        let fits = shape.filter(|shape| product(shape) == Some(n_elements));
        fits.ok_or_else(|| {
            let shown = &self.dims[..self.dims.len().min(DIMS_MAX)];
            format!("a tensor of {n_elements} elements has the dimensions {shown:?}")
        })
    }
}

fn decode<M: Message + Default>(bytes: Bytes) -> Result<M, OnnxError> {
    M::decode(bytes).map_err(|error| OnnxError::Damaged { detail: cut(&error.to_string()) })
}

fn decode_all<M: Message + Default>(
    what: &'static str,
    parts: Vec<Bytes>,
    limit: usize,
) -> Result<Vec<M>, OnnxError> {
    check(what, parts.len(), limit)?;
    parts.into_iter().map(decode).collect()
}

fn check(what: &'static str, actual: usize, limit: usize) -> Result<(), OnnxError> {
    if actual > limit { Err(OnnxError::TooMany { what, actual, limit }) } else { Ok(()) }
}
