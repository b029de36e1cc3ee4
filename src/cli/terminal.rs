//! What stdout is: how wide, and whether colours are seen as such; and text of others that does no harm there.

use std::io::{self, IsTerminal};

const WIDTH: usize = 120;
const WIDTH_MIN: usize = 40;
const RESET: &str = "\x1b[0m";

pub(super) struct Terminal {
    pub(super) width: usize,
    pub(super) has_colours: bool,
}

impl Terminal {
    pub(super) fn of(out: &io::Stdout) -> Self {
        let size = out.is_terminal().then(terminal_size::terminal_size).flatten();
        Self {
            width: size.map_or(WIDTH, |(width, _)| usize::from(width.0)).max(WIDTH_MIN),
            has_colours: out.is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    /// The text with a graphic rendition, `31` or `48;5;196`, where colours are seen.
    pub(super) fn rendered(&self, text: &str, rendition: &str) -> String {
        if self.has_colours { format!("\x1b[{rendition}m{text}{RESET}") } else { text.to_owned() }
    }
}

/// Text of others that cannot move the cursor, break its line nor turn it around, character by character.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(printable_char).collect()
}

pub(super) fn printable_char(c: char) -> char {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    if c.is_control() || turns || breaks { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_breaks_a_line_or_turns_it_around_is_a_blank() {
        let harmful =
            "\n\t\r\u{1b}\u{7f}\u{9b}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202e}\u{2066}\u{2069}";
        assert_eq!(printable(harmful), " ".repeat(harmful.chars().count()));
        assert_eq!(printable("né 漢字 עברית\u{200d}😀"), "né 漢字 עברית\u{200d}😀");
    }
}
