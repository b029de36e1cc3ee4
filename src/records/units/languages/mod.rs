//! A language code → how its words are cut. Those that differ from the common rules have files of their own.

mod dutch;
mod elided;
mod english;
mod french;
mod german;
mod indonesian;
mod italian;
mod northern;
mod ordinals;
mod portuguese;
mod spanish;

use std::sync::LazyLock;

use super::specials::Specials;
use super::{affixes, infixes, tokens};

/// The rules of a language. Each takes time that does not grow with the word but for what it takes off.
#[derive(Clone, Copy)]
pub struct Habits {
    /// Bytes that come off the beginning of a word.
    pub prefix: fn(&str) -> usize,
    /// Bytes that come off its end.
    pub suffix: fn(&str) -> usize,
    /// Bytes that stand alone between what is before and what comes next; 0 bytes only cut.
    pub infix: fn(&str, &str) -> Option<usize>,
}

pub struct Language {
    pub habits: Habits,
    pub specials: Specials,
}

const COMMON: Habits = Habits { prefix: affixes::prefix, suffix: affixes::suffix, infix: infixes::infix };

impl Language {
    pub fn of(code: &str) -> &'static Self {
        static SHARED: LazyLock<Language> = LazyLock::new(|| Language::new(COMMON, std::iter::empty()));
        match code {
            "ca" => &elided::CATALAN,
            "da" => &northern::DANISH,
            "de" => &german::LANGUAGE,
            "en" => &english::LANGUAGE,
            "es" => &spanish::LANGUAGE,
            "fi" => &northern::FINNISH,
            "fr" => &french::LANGUAGE,
            "hu" => &ordinals::HUNGARIAN,
            "id" => &indonesian::LANGUAGE,
            "it" => &italian::LANGUAGE,
            "lb" => &elided::LUXEMBOURGISH,
            "lij" => &elided::LIGURIAN,
            "nb" => &northern::NORWEGIAN,
            "nl" => &dutch::LANGUAGE,
            "pt" => &portuguese::LANGUAGE,
            "sl" => &ordinals::SLOVENIAN,
            "sr" => &ordinals::SERBIAN,
            "sv" => &northern::SWEDISH,
            _ => &SHARED,
        }
    }

    fn new(habits: Habits, specials: impl Iterator<Item = String>) -> Self {
        Self { habits, specials: Specials::new(specials, |word| tokens::plain(word, habits)) }
    }

    /// `words` are special cases with white space between them.
    fn with_words(habits: Habits, words: &str) -> Self {
        Self::new(habits, words.split_whitespace().map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_has_its_own_elisions_hyphens_and_abbreviations() {
        for (code, text, expected) in [
            ("ta", "வணக்கம். நன்றி", "வணக்கம்¦.¦நன்றி"),
            ("pt", "guarda-chuva'x dá-lhe(s)", "guarda-chuva'x¦dá-lhe(s¦)"),
            ("it", "5'anni c'era l'80", "5'anni¦c'¦era¦l'¦80"),
            ("da", "den 3. Lars' bl.a. Kims'", "den¦3.¦Lars'¦bl.a.¦Kims'"),
            ("sv", "t.ex. EU:s kl. 5", "t.ex.¦EU:s¦kl.¦5"),
            ("hu", "5. vö. mehet-e", "5.¦vö.¦mehet¦-e"),
            ("lb", "d’Recht", "d’¦Recht"),
            ("ca", "al d'un donar-li", "a¦l¦d'¦un¦donar¦-li"),
            ("lij", "l’òmmo co-a", "l’¦òmmo¦co-a"),
            ("id", "hak-hak bukunya buku-nya", "hak-hak¦bukunya¦buku¦-nya"),
            ("fi", "EU:n linja-auto esim. 5", "EU:n¦linja-auto¦esim.¦5"),
            ("nb", "3. mai bl.a.", "3.¦mai¦bl.a."),
            ("sr", "5. год.", "5.¦год."),
            ("sl", "5. člen npr.", "5.¦člen¦npr."),
            (
                "de",
                "Geht's? Ich hab's z.B. am 3. Mai, d.h. die Haus-/Hoftür (\"neu\") 10% 5-6 Vor-Ort-Termin u.a.",
                "Geht's¦?¦Ich¦hab's¦z.B.¦am¦3.¦Mai¦,¦d.h.¦die¦Haus-/Hoftür¦(¦\"¦neu¦\"¦)¦10¦%¦5¦-¦6¦Vor-Ort-Termin¦u.a.",
            ),
            (
                "fr",
                "L'été, aujourd'hui qu'il dit-il peut-être est-ce là-bas d’accord 10 % 5km J.-C.",
                "L'¦été¦,¦aujourd'hui¦qu'¦il¦dit¦-il¦peut-être¦est¦-ce¦là¦-¦bas¦d’¦accord¦10¦%¦5¦km¦J.¦-C.",
            ),
            (
                "es",
                "¿Qué? EE.UU. teórico-práctico 10% 5km 12m. —dijo—",
                "¿¦Qué¦?¦EE.UU.¦teórico-práctico¦10%¦5¦km¦12¦m.¦—¦dijo¦—",
            ),
            (
                "it",
                "L'amico dell'arte un po' all'art. 5 '68 3° nord-est e-mail",
                "L'¦amico¦dell'¦arte¦un¦po'¦all'¦art.¦5¦'68¦3°¦nord-est¦e-mail",
            ),
            ("pt", "guarda-chuva R$5 Sr. Silva, 10km e/ou US$", "guarda-chuva¦R$¦5¦Sr.¦Silva¦,¦10¦km¦e/ou¦US$"),
            (
                "nl",
                "'s avonds o.a. zo'n auto's (,,ja'') 10% 5km niet-roker",
                "'s¦avonds¦o.a.¦zo'n¦auto's¦(¦,,¦ja¦''¦)¦10%¦5¦km¦niet-roker",
            ),
            ("hi", "यह है। यू.के में", "यह¦है¦।¦यू.के¦में"),
            ("ar", "مرحبا، كيف؟ 5كم", "مرحبا¦،¦كيف¦؟¦5¦كم"),
            ("xx", "a.m. it's 5km well-known :)", "a.m¦.¦it¦'s¦5¦km¦well¦-¦known¦:)"),
        ] {
            let tokens = tokens::split(text, Language::of(code));
            assert_eq!(tokens.into_iter().map(|bytes| &text[bytes]).collect::<Vec<_>>().join("¦"), expected);
        }
    }
}
