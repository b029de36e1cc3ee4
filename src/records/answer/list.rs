//! A list written as text, as Python or JSON writes it, → its elements.

/// Elements of one list.
pub const LIST_ITEMS_MAX: usize = 65_536;

/// What may stand without quotes and is no finite number.
const WORDS: [&str; 8] = ["nan", "inf", "true", "false", "none", "null", "infinity", "-inf"];

#[derive(Debug, PartialEq)]
pub enum Item<'a> {
    /// A number or a word such as `nan` or `True`, as it is spelled.
    Bare(&'a str),
    /// What stands between quotes, escapes undone.
    Text(String),
}

#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ListError {
    #[error("it does not stand in brackets")]
    Brackets,
    #[error("a list within a list")]
    Nested,
    #[error("{0:?} is neither a number nor a text in quotes")]
    Bare(String),
    #[error("a text without its closing quote")]
    OpenQuote,
    #[error("an escape that neither Python nor JSON knows")]
    Escape,
    #[error("elements are not parted by commas")]
    Comma,
    #[error("it has more elements than the limit of {LIST_ITEMS_MAX} elements")]
    TooLong,
}

/// Whether a text claims to be a list.
pub fn is_list(text: &str) -> bool {
    text.trim_start().starts_with('[')
}

pub fn parse_list(text: &str) -> Result<Vec<Item<'_>>, ListError> {
    let inner = text.trim().strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let mut rest = inner.ok_or(ListError::Brackets)?.trim();
    let mut items = Vec::new();
    while !rest.is_empty() {
        if items.len() == LIST_ITEMS_MAX {
            return Err(ListError::TooLong);
        }
        let (item, after) = parse_item(rest)?;
        items.push(item);
        rest = match after.trim_start().strip_prefix(',').map(str::trim_start) {
            None if after.trim_start().is_empty() => "",
            None | Some("") => return Err(ListError::Comma),
            Some(next) => next,
        };
    }
    Ok(items)
}

/// The first element, and what follows it.
fn parse_item(text: &str) -> Result<(Item<'_>, &str), ListError> {
    match text.chars().next() {
        Some(quote @ ('"' | '\'')) => parse_text(quote, &text[1..]),
        Some('[') => Err(ListError::Nested),
        _ => parse_bare(text),
    }
}

fn parse_bare(text: &str) -> Result<(Item<'_>, &str), ListError> {
    let (bare, rest) = text.split_at(text.find([',', ' ', '\t', '\r', '\n']).unwrap_or(text.len()));
    if bare.parse::<f64>().is_err() && !WORDS.iter().any(|word| bare.eq_ignore_ascii_case(word)) {
        return Err(ListError::Bare(bare.chars().take(20).collect()));
    }
    Ok((Item::Bare(bare), rest))
}

fn parse_text(quote: char, text: &str) -> Result<(Item<'_>, &str), ListError> {
    let mut unquoted = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next().ok_or(ListError::OpenQuote)? {
            c if c == quote => return Ok((Item::Text(unquoted), chars.as_str())),
            '\\' => unquoted.push(escaped(&mut chars).ok_or(ListError::Escape)?),
            c => unquoted.push(c),
        }
    }
}

fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    Some(match chars.next()? {
        c @ ('\\' | '\'' | '"' | '/') => c,
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'x' => char::from_u32(hex(chars, 2)?)?,
        'u' => utf16(chars)?,
        'U' => char::from_u32(hex(chars, 8)?)?,
        _ => return None,
    })
}

/// JSON writes what lies beyond `\uffff` as two of these.
fn utf16(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let first = hex(chars, 4)? as u16;
    let mut units = vec![first];
    if (0xd800..0xdc00).contains(&first) {
        *chars = chars.as_str().strip_prefix("\\u")?.chars();
        units.push(hex(chars, 4)? as u16);
    }
    char::decode_utf16(units).next()?.ok()
}

fn hex(chars: &mut std::str::Chars<'_>, n_digits: usize) -> Option<u32> {
    let (digits, rest) = chars.as_str().split_at_checked(n_digits)?;
    *chars = rest.chars();
    let all_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    all_hex.then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bare<'a>(items: &[&'a str]) -> Vec<Item<'a>> {
        items.iter().map(|item| Item::Bare(item)).collect()
    }

    fn texts(items: &[&str]) -> Vec<Item<'static>> {
        items.iter().map(|item| Item::Text((*item).to_owned())).collect()
    }

    #[test]
    fn lists_of_python_and_of_json_are_read() {
        for (text, expected) in [
            ("[0.1,0.6,0.3]", bare(&["0.1", "0.6", "0.3"])),
            (" [ 1 , -2e-05,\t3. ] ", bare(&["1", "-2e-05", "3."])),
            ("[nan, -inf, True, null]", bare(&["nan", "-inf", "True", "null"])),
            ("[]", vec![]),
            ("[ ]", vec![]),
            ("['cat','dog']", texts(&["cat", "dog"])),
            (r#"["cat", "dog"]"#, texts(&["cat", "dog"])),
            (r#"["it's", 'a "b"', 'a, [b]']"#, texts(&["it's", "a \"b\"", "a, [b]"])),
            (r#"['it\'s', "\"", '\\', "\/\n\t"]"#, texts(&["it's", "\"", "\\", "/\n\t"])),
            (r#"['\xe9', "\u00e9\ud83d\ude00", '\U0001f600']"#, texts(&["é", "é😀", "😀"])),
        ] {
            assert_eq!(parse_list(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_list_is_refused_with_the_reason() {
        use ListError::{Brackets, Comma, Escape, Nested, OpenQuote};
        for (text, expected) in [
            ("", Brackets),
            ("[", Brackets),
            ("[1", Brackets),
            ("[1] 2", Brackets),
            ("[[1]]", Nested),
            ("[1 2]", Comma),
            ("['a' 'b']", Comma),
            ("['a''b']", Comma),
            ("[1,]", Comma),
            ("[,1]", ListError::Bare(String::new())),
            ("[cat]", ListError::Bare("cat".to_owned())),
            ("[1]]", ListError::Bare("1]".to_owned())),
            ("['a]", OpenQuote),
            (r"['a\']", OpenQuote),
            (r"['\q']", Escape),
            (r"['\x+f']", Escape),
            (r"['\ud83d']", Escape),
            (r"['\ud83d\u0041']", Escape),
            (r"['\ude00']", Escape),
            (r"['\u00é']", Escape),
        ] {
            assert_eq!(parse_list(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_list_over_the_limit_is_refused() {
        let list = |n_items| format!("[{}]", vec!["1"; n_items].join(","));
        assert_eq!(parse_list(&list(LIST_ITEMS_MAX)).map(|items| items.len()), Ok(LIST_ITEMS_MAX));
        assert_eq!(parse_list(&list(LIST_ITEMS_MAX + 1)), Err(ListError::TooLong));
    }
}
