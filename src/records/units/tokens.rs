//! A text → its tokens, as spaCy's tokenizer cuts them: at white space, then prefixes and suffixes come off each
//! word, and what is left is a special case, an address, or parted by infixes. Scripts without spaces are cut by
//! Unicode's rules.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::addresses::is_address;
use super::characters::{self, is_space, is_unspaced};
use super::languages::{Habits, Language};
use super::specials::Specials;

pub fn split(text: &str, language: &Language) -> Vec<Range<usize>> {
    let mut cutter = Cutter { text, habits: language.habits, specials: &language.specials, tokens: Vec::new() };
    for chunk in chunks(text) {
        if characters::starts(&text[chunk.clone()], is_space) {
            cutter.push_white(chunk);
        } else {
            cutter.push_chunk(chunk);
        }
    }
    language.specials.joined(text, cutter.tokens)
}

/// The tokens of a word that no special case touches.
pub fn plain(word: &str, habits: Habits) -> Vec<Range<usize>> {
    let mut cutter = Cutter { text: word, habits, specials: &Specials::default(), tokens: Vec::new() };
    cutter.push_chunk(0..word.len());
    cutter.tokens
}

/// Runs of white space and runs of anything else, in turns.
fn chunks(text: &str) -> impl Iterator<Item = Range<usize>> {
    runs(text, is_space)
}

/// The longest pieces in which `class` holds for all characters or for none.
fn runs(text: &str, class: fn(char) -> bool) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &text[start..];
        let is_in = class(characters::first(rest)?);
        let end = start + rest.find(|c| class(c) != is_in).unwrap_or(rest.len());
        Some(std::mem::replace(&mut start, end)..end)
    })
}

struct Cutter<'a> {
    text: &'a str,
    habits: Habits,
    specials: &'a Specials,
    tokens: Vec<Range<usize>>,
}

impl Cutter<'_> {
    fn push(&mut self, bytes: Range<usize>) {
        if !bytes.is_empty() {
            self.tokens.push(bytes);
        }
    }

    /// One blank behind a word belongs to no token; all other white space is one.
    fn push_white(&mut self, bytes: Range<usize>) {
        let parts = bytes.start > 0 && self.text[bytes.start..].starts_with(' ');
        self.push(bytes.start + usize::from(parts)..bytes.end);
    }

    fn push_chunk(&mut self, bytes: Range<usize>) {
        let chunk = &self.text[bytes.clone()];
        for run in runs(chunk, is_unspaced) {
            let start = bytes.start + run.start;
            if characters::starts(&chunk[run.clone()], is_unspaced) {
                let words = chunk[run].split_word_bound_indices();
                self.tokens.extend(words.map(|(at, word)| start + at..start + at + word.len()));
            } else {
                self.push_word(start..bytes.start + run.end);
            }
        }
    }

    fn push_word(&mut self, bytes: Range<usize>) {
        let mut core = bytes;
        let mut suffixes = Vec::new();
        while let Some((prefix, suffix)) = self.affixes(&self.text[core.clone()]) {
            self.push(core.start..core.start + prefix);
            suffixes.push(core.end - suffix..core.end);
            core = core.start + prefix..core.end - suffix;
        }
        self.push_core(core);
        suffixes.into_iter().rev().for_each(|suffix| self.push(suffix));
    }

    /// How much comes off at both ends; none when the word is a special case or nothing comes off. Where a special
    /// case is left, the other end stays.
    fn affixes(&self, word: &str) -> Option<(usize, usize)> {
        let is_special = |word: &str| self.specials.get(word).is_some();
        if is_special(word) {
            return None;
        }
        let prefix = (self.habits.prefix)(word);
        if prefix > 0 && is_special(&word[prefix..]) {
            return Some((prefix, 0));
        }
        let suffix = (self.habits.suffix)(&word[prefix..]);
        if suffix > 0 && is_special(&word[..word.len() - suffix]) {
            return Some((0, suffix));
        }
        (prefix + suffix > 0).then_some((prefix, suffix))
    }

    fn push_core(&mut self, bytes: Range<usize>) {
        let word = &self.text[bytes.clone()];
        if let Some(pieces) = self.specials.get(word) {
            self.push_pieces(bytes.start, pieces);
        } else if is_address(word) {
            self.push(bytes);
        } else {
            self.push_parts(bytes.start, word);
        }
    }

    fn push_pieces(&mut self, start: usize, pieces: &[usize]) {
        let mut at = start;
        for n_bytes in pieces {
            self.push(at..at + n_bytes);
            at += n_bytes;
        }
    }

    fn push_parts(&mut self, offset: usize, word: &str) {
        let (mut start, mut at) = (0, 0);
        while let Some(c) = characters::first(&word[at..]) {
            let infix = (self.habits.infix)(&word[..at], &word[at..]);
            // Nothing is parted at the very beginning.
            if let Some(n_bytes) = infix.filter(|_| at > 0) {
                self.push(offset + start..offset + at);
                self.push(offset + at..offset + at + n_bytes);
                start = at + n_bytes;
            }
            at += infix.filter(|&n_bytes| n_bytes > 0).unwrap_or(c.len_utf8());
        }
        self.push(offset + start..offset + word.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_is_cut_as_spacy_cuts_it() {
        for (text, expected) in [
            ("a\u{1c}b", "a¦\u{1c}¦b"),
            (
                "foo:))) 'em, \"a.m. in the USA. 5US$ (he'll, °C. bye:-)) F.",
                "foo¦:)))¦'em¦,¦\"¦a.m.¦in¦the¦USA¦.¦5¦US$¦(¦he¦'ll¦,¦°¦C¦.¦bye:-¦)¦)¦F.",
            ),
            (
                "It's we've haven't can't cannot I'd've gonna let's y'all o'clock",
                "It¦'s¦we¦'ve¦have¦n't¦ca¦n't¦can¦not¦I¦'d¦'ve¦gon¦na¦let¦'s¦y'¦all¦o'clock",
            ),
            ("Im its well were theyre dont whos", "I¦m¦its¦well¦were¦they¦re¦do¦nt¦who¦s"),
            ("it’s don’t ‘s", "it¦’s¦do¦n’t¦‘s"),
            (
                "Mr. Smith, Ph.D., of N.Y. and the U.S. (e.g. at 5p.m. or 10 am).",
                "Mr.¦Smith¦,¦Ph.D.¦,¦of¦N.Y.¦and¦the¦U.S.¦(¦e.g.¦at¦5¦p.m.¦or¦10¦am¦)¦.",
            ),
            (
                "135-140lb 5' 5'6\" 10km² $5.50 50% 3,000 20°C. +1 C++ 4-year-old",
                "135¦-¦140¦lb¦5¦'¦5'6¦\"¦10¦km²¦$¦5.50¦50¦%¦3,000¦20¦°¦C¦.¦+1¦C++¦4¦-¦year¦-¦old",
            ),
            (
                "well-known and/or w/o either/or a=b end.The a,b page...and wait…what",
                "well¦-¦known¦and/or¦w/o¦either¦/¦or¦a¦=¦b¦end¦.¦The¦a¦,¦b¦page¦...¦and¦wait¦…¦what",
            ),
            ("\"Quoted,\" ('twice') ``here'' [x] <y>", "\"¦Quoted¦,¦\"¦(¦'¦twice¦'¦)¦`¦`¦here¦''¦[¦x¦]¦<¦y¦>"),
            (
                "See http://a.com/b?c=1, www.x.org. me@x.org and (https://x.io/).",
                "See¦http://a.com/b?c=1¦,¦www.x.org¦.¦me@x.org¦and¦(¦https://x.io/¦)¦.",
            ),
            (":-) foo:) =D xD <3 ^_^ (^_^) ¯\\(ツ)/¯ :( :'(", ":-)¦foo¦:)¦=D¦xD¦<3¦^_^¦(^_^)¦¯\\(ツ)/¯¦:(¦:'("),
            ("a  b\tc \n d\r\n\r\ne ", "a¦ ¦b¦\t¦c¦\n ¦d¦\r\n\r\n¦e"),
            (" a", " ¦a"),
            ("US$5 £5 5€ #tag @you & co. a_b 👍🏽 I❤NY", "US$¦5¦£¦5¦5¦€¦#¦tag¦@you¦&¦co.¦a_b¦👍¦🏽¦I¦❤¦NY"),
            ("dogs' James's 'em rock'n'roll", "dogs¦'¦James¦'s¦'em¦rock'n'roll"),
            ("........ --- ?!? !!!", "........¦---¦?¦!¦?¦!¦!¦!"),
        ] {
            let tokens = split(text, Language::of("en"));
            assert_eq!(tokens.into_iter().map(|bytes| &text[bytes]).collect::<Vec<_>>().join("¦"), expected);
        }
    }

    #[test]
    fn scripts_without_spaces_are_cut_into_characters_or_words() {
        for (text, expected) in [
            ("我爱北京。Hello 你好3年", "我¦爱¦北¦京¦。¦Hello¦你¦好¦3¦年"),
            ("カタカナとひらがな", "カタカナ¦と¦ひ¦ら¦が¦な"),
            ("ไทย ก็", "ไ¦ท¦ย¦ก็"),
            ("한국어 문장.", "한국어¦문장¦."),
        ] {
            let tokens = split(text, Language::of("zh"));
            assert_eq!(tokens.into_iter().map(|bytes| &text[bytes]).collect::<Vec<_>>().join("¦"), expected);
        }
    }
}
