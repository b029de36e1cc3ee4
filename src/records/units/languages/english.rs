//! English: contractions, abbreviations, times of day. A hyphen also parts numbers from words.

use std::sync::LazyLock;

use super::super::characters::is_letter;
use super::super::infixes::{self, hyphen, is_letter_or_digit};
use super::super::specials::in_both_cases;
use super::{COMMON, Habits, Language};

pub static LANGUAGE: LazyLock<Language> = LazyLock::new(|| {
    let habits = Habits { infix, ..COMMON };
    let words =
        [CONTRACTED, SHORTENED, ABBREVIATED].into_iter().flat_map(str::split_whitespace).map(str::to_owned);
    Language::new(habits, contractions().chain(times()).chain(clipped()).chain(words))
});

/// Words, and the endings that may follow each of them.
const CONTRACTIONS: [(&str, &str); 8] = [
    ("i you he she it we they who what when where why how there that this these those", "'ll 'll¦'ve 'd 'd¦'ve"),
    ("i you we they who what when where why how there these those", "'ve"),
    ("you we they who what when where why how there these those", "'re"),
    ("he she it who what when where why how there that this", "'s"),
    ("i", "'m 'm¦a"),
    ("ca could do does did had may might must need ought sha should wo would", "n't n't¦'ve"),
    ("ai are is was were have has dare", "n't"),
    ("could might must should would not", "'ve"),
];
/// What is a word of its own when the apostrophe is left out.
const WORDS: [&str; 8] = ["ill", "its", "hell", "shell", "shed", "were", "well", "whore"];
const CONTRACTED: &str = "can¦not Can¦not gon¦na Gon¦na got¦ta Got¦ta let¦'s Let¦'s c'm¦on C'm¦on y'¦all y¦all \
    how¦'d¦'y How¦'d¦'y";
const SHORTENED: &str = "'em 'll 'nuff 'd 's 'S ‘s ‘S 're 'cause 'Cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout \
    ma'am Ma'am o'clock O'clock and/or w/o";
/// Verbs and others that lose their last letter.
const CLIPPED: &str = "doin goin havin lovin nothin nuthin ol somethin";
/// Months, states, titles, companies, Latin.
const ABBREVIATED: &str = "Jan. Feb. Mar. Apr. Jun. Jul. Aug. Sep. Sept. Oct. Nov. Dec. Ak. Ala. Ariz. Ark. \
    Calif. Colo. Conn. Del. Fla. Ga. Ia. Id. Ill. Ind. Kan. Kans. Ky. La. Mass. Md. Mich. Minn. Miss. Mo. Mont. \
    Neb. Nebr. Nev. Okla. Ore. Pa. Tenn. Va. Wash. Wis. Mt. St. Adm. Dr. Gen. Gov. Jr. Messrs. Mr. Mrs. Ms. \
    Prof. Rep. Rev. Sen. Bros. co. Co. Corp. Inc. Ltd. a.m. p.m. e.g. E.g. i.e. I.e. vs. v.s. Ph.D.";

fn infix(before: &str, rest: &str) -> Option<usize> {
    infixes::unhyphened(before, rest).or_else(|| hyphen(before, rest, is_letter_or_digit, is_letter))
}

/// With and without their apostrophes, as many write them.
fn contractions() -> impl Iterator<Item = String> {
    let pairs = CONTRACTIONS.into_iter().flat_map(|(words, endings)| {
        words.split(' ').flat_map(move |word| endings.split(' ').map(move |ending| format!("{word}¦{ending}")))
    });
    let spellings = pairs.flat_map(|case| [case.replace('\'', ""), case]);
    let own = spellings.filter(|case| !WORDS.contains(&case.replace('¦', "").as_str()));
    own.flat_map(|case| in_both_cases(&case))
}

fn times() -> impl Iterator<Item = String> {
    let halves = ["a.m.", "am", "p.m.", "pm"];
    (1..=12).flat_map(move |hour| halves.into_iter().map(move |half| format!("{hour}¦{half}")))
}

fn clipped() -> impl Iterator<Item = String> {
    CLIPPED.split(' ').flat_map(in_both_cases).map(|word| format!("{word}'"))
}
