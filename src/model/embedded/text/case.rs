//! A text in lower case, character by character as C's `towlower` has it: no character becomes two, and none looks at its
//! neighbours.

/// Appends a text in lower case.
pub(super) fn write_lower(text: &str, out: &mut Vec<u8>) {
    if text.is_ascii() {
        out.extend(text.bytes().map(|byte| byte.to_ascii_lowercase()));
        return;
    }
    let mut buffer = [0; 4];
    for character in text.chars() {
        out.extend_from_slice(lower(character).encode_utf8(&mut buffer).as_bytes());
    }
}

/// Of I with a dot alone Unicode has a lower case of two characters, the second one a mark.
fn lower(character: char) -> char {
    character.to_lowercase().next().unwrap_or(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_becomes_one() {
        for (text, expected) in [("A-Z", "a-z"), ("ÉTÉ İI", "été ii"), ("ΑΣ ẞ ǅ Ⅷ 𐐀", "ας ß ǆ ⅷ 𐐨")]
        {
            let mut out = b"<".to_vec();
            write_lower(text, &mut out);
            let expected = expected.replace('ς', "σ");
            assert_eq!(String::from_utf8(out).expect("is text"), format!("<{expected}"));
        }
    }
}
