//! A tensor of the file → its elements as float64 or text, their number checked against its dimensions.

use bytes::Bytes;

use super::proto::{TensorProto, elem};
use super::wrong;

/// What a graph knows before any record comes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub dims: Vec<usize>,
    pub data: Data,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Data {
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

impl Constant {
    pub fn read(tensor: &TensorProto) -> Result<Self, String> {
        if tensor.data_location != 0 {
            return Err("a tensor is kept in another file; expected all in one file".to_owned());
        }
        let data = match tensor.data_type {
            elem::STRING => Data::Texts(tensor.string_data.iter().map(text).collect::<Result<_, _>>()?),
            _ => Data::Numbers(numbers(tensor)?),
        };
        Ok(Self { dims: tensor.shape(data.len())?, data })
    }

    pub fn of_numbers(numbers: Vec<f64>) -> Self {
        Self { dims: vec![numbers.len()], data: Data::Numbers(numbers) }
    }

    pub fn numbers(&self) -> Result<&[f64], String> {
        match &self.data {
            Data::Numbers(numbers) => Ok(numbers),
            Data::Texts(_) => Err(wrong("a constant", "text", "numbers")),
        }
    }

    /// Numbers that an affine step may use.
    pub fn finite(&self) -> Result<&[f64], String> {
        let numbers = self.numbers()?;
        match numbers.iter().find(|number| !number.is_finite()) {
            Some(number) => Err(wrong("a constant", number, "a finite number")),
            None => Ok(numbers),
        }
    }

    pub fn integers(&self) -> Result<Vec<i64>, String> {
        let integer = |&number: &f64| {
            if number.fract() == 0.0 { Ok(number as i64) } else { Err(wrong("an index", number, "an integer")) }
        };
        self.numbers()?.iter().map(integer).collect()
    }
}

impl Data {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Texts(texts) => texts.len(),
        }
    }
}

pub(super) fn text(bytes: &Bytes) -> Result<String, String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| "a text is not UTF-8".to_owned())
}

fn numbers(tensor: &TensorProto) -> Result<Vec<f64>, String> {
    let raw = &tensor.raw_data;
    match tensor.data_type {
        elem::FLOAT if raw.is_empty() => Ok(tensor.float_data.iter().map(|&x| x.into()).collect()),
        elem::DOUBLE if raw.is_empty() => Ok(tensor.double_data.clone()),
        elem::INT32 if raw.is_empty() => Ok(tensor.int32_data.iter().map(|&x| x.into()).collect()),
        elem::INT64 if raw.is_empty() => Ok(tensor.int64_data.iter().map(|&x| x as f64).collect()),
        elem::FLOAT => from_raw(raw, |bytes| f32::from_le_bytes(bytes).into()),
        elem::DOUBLE => from_raw(raw, f64::from_le_bytes),
        elem::INT32 => from_raw(raw, |bytes| i32::from_le_bytes(bytes).into()),
        elem::INT64 => from_raw(raw, |bytes| i64::from_le_bytes(bytes) as f64),
        other => Err(wrong(
            "the element type of a tensor",
            other,
            "1, 6, 7, 8 or 11: float, int32, int64, string, double",
        )),
    }
}

fn from_raw<const N: usize>(raw: &[u8], number: impl Fn([u8; N]) -> f64) -> Result<Vec<f64>, String> {
    let (elements, rest) = raw.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(wrong("the length of raw_data", raw.len(), format!("a multiple of {N} bytes")));
    }
    Ok(elements.iter().map(|&element| number(element)).collect())
}
