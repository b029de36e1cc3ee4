//! UBJSON (draft 12, as XGBoost writes it) as a format of serde.
//! A count is checked against the bytes that are left before anything is made for it, so that time and memory stay in
//! proportion to the length of the file.

use std::fmt::Display;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

/// Containers inside each other; a model has eight.
const DEPTH_MAX: usize = 64;

#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum UbjsonError {
    /// A value of another kind than is asked for.
    #[error("{0}")]
    Data(String),
    #[error("byte {at}: {reason}")]
    Damaged { at: usize, reason: String },
}

impl serde::de::Error for UbjsonError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Data(message.to_string())
    }
}

type Outcome<T> = Result<T, UbjsonError>;

pub(super) struct Reader<'de> {
    bytes: &'de [u8],
    at: usize,
    depth: usize,
}

impl<'de> Reader<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self { bytes, at: 0, depth: 0 }
    }

    /// Refuses what follows the value.
    pub(super) fn end(&self) -> Outcome<()> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.damaged("bytes after the end")) }
    }

    fn damaged(&self, reason: impl Into<String>) -> UbjsonError {
        UbjsonError::Damaged { at: self.at, reason: reason.into() }
    }

    fn n_left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn peek(&self) -> Outcome<u8> {
        self.bytes.get(self.at).copied().ok_or_else(|| self.damaged("the file ends"))
    }

    fn take<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let Some((bytes, _)) = self.bytes[self.at..].split_first_chunk() else {
            return Err(self.damaged("the file ends"));
        };
        self.at += N;
        Ok(*bytes)
    }

    /// The type of a value; `N` means nothing and may stand anywhere.
    fn marker(&mut self) -> Outcome<u8> {
        loop {
            let [marker] = self.take()?;
            if marker != b'N' {
                return Ok(marker);
            }
        }
    }

    fn integer(&mut self, marker: u8) -> Outcome<i64> {
        Ok(match marker {
            b'i' => i8::from_be_bytes(self.take()?).into(),
            b'U' => u8::from_be_bytes(self.take()?).into(),
            b'I' => i16::from_be_bytes(self.take()?).into(),
            b'l' => i32::from_be_bytes(self.take()?).into(),
            b'L' => i64::from_be_bytes(self.take()?),
            _ => return Err(self.damaged(format!("0x{marker:02x} is no type of an integer"))),
        })
    }

    /// Of text in bytes, or of a container, whose elements have a byte at least.
    fn count(&mut self) -> Outcome<usize> {
        let marker = self.marker()?;
        let count = self.integer(marker)?;
        let fits = usize::try_from(count).ok().filter(|&count| count <= self.n_left());
        fits.ok_or_else(|| self.damaged(format!("a length of {count} with {} bytes left", self.n_left())))
    }

    fn text(&mut self) -> Outcome<&'de str> {
        let n_bytes = self.count()?;
        let text = std::str::from_utf8(&self.bytes[self.at..self.at + n_bytes]);
        let text = text.map_err(|_| self.damaged("text that is not UTF-8"))?;
        self.at += n_bytes;
        Ok(text)
    }

    fn value<V: Visitor<'de>>(&mut self, marker: u8, visitor: V) -> Outcome<V::Value> {
        match marker {
            b'Z' => visitor.visit_unit(),
            b'T' | b'F' => visitor.visit_bool(marker == b'T'),
            b'd' => visitor.visit_f64(f32::from_be_bytes(self.take()?).into()),
            b'D' => visitor.visit_f64(f64::from_be_bytes(self.take()?)),
            b'C' => visitor.visit_char(u8::from_be_bytes(self.take()?).into()),
            b'S' => visitor.visit_borrowed_str(self.text()?),
            b'[' => self.container(b']', |items| visitor.visit_seq(items)),
            b'{' => self.container(b'}', |items| visitor.visit_map(items)),
            _ => match self.integer(marker)? {
                negative @ ..0 => visitor.visit_i64(negative),
                number => visitor.visit_u64(number.unsigned_abs()),
            },
        }
    }

    fn container<T>(&mut self, end: u8, read: impl FnOnce(Items<'_, 'de>) -> Outcome<T>) -> Outcome<T> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.damaged(format!("more than {DEPTH_MAX} containers inside each other")));
        }
        let (element, n_left) = self.header()?;
        let value = read(Items { reader: self, end, element, n_left })?;
        self.depth -= 1;
        Ok(value)
    }

    /// The type that all elements have, and their number, where the container says so.
    fn header(&mut self) -> Outcome<(Option<u8>, Option<usize>)> {
        let element = if self.peek()? == b'$' { Some(self.element()?) } else { None };
        if self.peek()? == b'#' {
            self.at += 1;
            return Ok((element, Some(self.count()?)));
        }
        if element.is_some() {
            Err(self.damaged("a type of elements without their number"))
        } else {
            Ok((None, None))
        }
    }

    fn element(&mut self) -> Outcome<u8> {
        let [_, element] = self.take()?;
        // Elements without a byte of their own would make a short file long.
        if matches!(element, b'Z' | b'T' | b'F' | b'N') {
            return Err(self.damaged(format!("elements of type {} have no bytes", char::from(element))));
        }
        Ok(element)
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = UbjsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Outcome<V::Value> {
        let marker = self.marker()?;
        self.value(marker, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// What is inside a container.
struct Items<'r, 'de> {
    reader: &'r mut Reader<'de>,
    end: u8,
    element: Option<u8>,
    n_left: Option<usize>,
}

impl<'de> Items<'_, 'de> {
    /// Whether another element follows; takes the end if not.
    fn goes_on(&mut self) -> Outcome<bool> {
        if let Some(n_left) = &mut self.n_left {
            let goes_on = *n_left > 0;
            *n_left = n_left.saturating_sub(1);
            return Ok(goes_on);
        }
        while self.reader.peek()? == b'N' {
            self.reader.at += 1;
        }
        let is_end = self.reader.peek()? == self.end;
        self.reader.at += usize::from(is_end);
        Ok(!is_end)
    }

    fn next<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Outcome<S::Value> {
        let marker = self.element.map_or_else(|| self.reader.marker(), Ok)?;
        seed.deserialize(Value { reader: self.reader, marker })
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = UbjsonError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Outcome<Option<S::Value>> {
        if self.goes_on()? { self.next(seed).map(Some) } else { Ok(None) }
    }

    fn size_hint(&self) -> Option<usize> {
        self.n_left
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = UbjsonError;

    /// Keys are texts without their type.
    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Outcome<Option<S::Value>> {
        let goes_on = self.goes_on()?;
        goes_on.then(|| seed.deserialize(Value { reader: self.reader, marker: b'S' })).transpose()
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Outcome<S::Value> {
        self.next(seed)
    }
}

/// A value whose type is known.
struct Value<'r, 'de> {
    reader: &'r mut Reader<'de>,
    marker: u8,
}

impl<'de> Deserializer<'de> for Value<'_, 'de> {
    type Error = UbjsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Outcome<V::Value> {
        self.reader.value(self.marker, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value as Json, json};

    use super::*;

    fn read<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Outcome<T> {
        let mut reader = Reader::new(bytes);
        let value = T::deserialize(&mut reader)?;
        reader.end().map(|()| value)
    }

    #[test]
    fn every_type_of_value_is_read() {
        let cases: [(&[u8], Json); 17] = [
            (b"Z", json!(null)),
            (b"T", json!(true)),
            (b"i\xff", json!(-1)),
            (b"U\xff", json!(255)),
            (b"I\xff\xfe", json!(-2)),
            (b"l\x00\x01\x00\x00", json!(65_536)),
            (b"L\x00\x00\x00\x01\x00\x00\x00\x00", json!(1_u64 << 32)),
            (b"d\x3f\x00\x00\x00", json!(0.5)),
            (b"D\xbf\xe0\x00\x00\x00\x00\x00\x00", json!(-0.5)),
            (b"Ca", json!("a")),
            (b"Si\x02\xc3\xa9", json!("é")),
            (b"[NU\x01NTN]", json!([1, true])),
            (b"[#i\x02i\x01T", json!([1, true])),
            (b"[$i#U\x03\x01\x02\x03", json!([1, 2, 3])),
            (b"[$[#i\x02i\x01]]", json!([[1], []])),
            (b"{i\x01aTU\x01b{}}", json!({"a": true, "b": {}})),
            (b"{$U#i\x01i\x01a\x07", json!({"a": 7})),
        ];
        for (bytes, want) in cases {
            assert_eq!(read::<Json>(bytes), Ok(want), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn damage_is_told_with_its_byte() {
        let cases: [(&[u8], &str); 15] = [
            (b"", "byte 0: the file ends"),
            (b"l\x00", "byte 1: the file ends"),
            (b"[", "byte 1: the file ends"),
            (b"[T", "byte 2: the file ends"),
            (b"TT", "byte 1: bytes after the end"),
            (b"H", "byte 1: 0x48 is no type of an integer"),
            (b"Si\xff", "byte 3: a length of -1 with 0 bytes left"),
            (b"SU\x02a", "byte 3: a length of 2 with 1 bytes left"),
            (b"SU\x01\xff", "byte 3: text that is not UTF-8"),
            (b"Sd\x00\x00\x00\x00", "byte 2: 0x64 is no type of an integer"),
            (b"[#L\x7f\xff\xff\xff\xff\xff\xff\xff", "byte 11: a length of 9223372036854775807 with 0 bytes left"),
            (b"[$U#l\x00\x00\x01\x00a", "byte 9: a length of 256 with 1 bytes left"),
            (b"[$Z#U\x01", "byte 3: elements of type Z have no bytes"),
            (b"[$Ui\x01", "byte 3: a type of elements without their number"),
            (&[b'['; 100], "byte 65: more than 64 containers inside each other"),
        ];
        for (bytes, want) in cases {
            let told = read::<Json>(bytes).unwrap_err().to_string();
            assert_eq!(told, want, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_is_not_asked_for_is_skipped_whole() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Asked {
            b: u8,
        }
        let bytes = b"{i\x01a[$[#i\x02[]{}]]i\x01bU\x05}";
        assert_eq!(read::<Asked>(bytes), Ok(Asked { b: 5 }));
        let told = read::<Asked>(b"{i\x01bI\x01\x00}").unwrap_err();
        assert_eq!(told, UbjsonError::Data("invalid value: integer `256`, expected u8".to_owned()));
    }
}
