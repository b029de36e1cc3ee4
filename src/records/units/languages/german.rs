//! German: compounds keep their hyphens, ordinals their full stops, and `es` shrinks to `'s` only behind pronouns.

use std::sync::LazyLock;

use super::super::affixes::{self, ends_word, full_stop, mark, measure, one_of, symbol};
use super::super::characters::{is_digit, is_letter, is_mark};
use super::super::infixes::{between, is_letter_or_digit};
use super::dutch;
use super::{Habits, Language};

pub static LANGUAGE: LazyLock<Language> =
    LazyLock::new(|| Language::with_words(Habits { prefix, suffix, infix }, WORDS));

const WORDS: &str = "`` '' auf¦'m hinter¦'m unter¦'m vor¦'m über¦'m du¦'s er¦'s ich¦'s ihr¦'s sie¦'s wir¦'s \
    Jan. Feb. Mär. Apr. Jun. Jul. Aug. Sep. Sept. Okt. Nov. Dez. Mo. Di. Mi. Do. Fr. Sa. So. Abb. Abk. Abs. \
    Abt. Bd. Bhf. Biol. Chr. Cie. Co. Dipl. Dr. Fa. Fam. Fr. Frl. Gebr. Hbf. Hg. Hr. Hrsg. Ing. Inc. Jh. Jhd. \
    Jr. Mio. Mr. Mrd. Nr. Prof. Red. St. Std. Str. Tel. Tsd. Univ. Vol. abzgl. allg. betr. bspw. bzgl. bzw. ca. \
    co. d.h. dgl. ehem. eigtl. engl. entspr. etc. ev. evtl. frz. geb. gegr. gem. ggf. ggü. hrsg. inkl. insb. \
    jr. jur. lat. lt. max. min. mind. mtl. n.Chr. nat. o.a. o.g. o.ä. orig. p.a. phil. s.o. sen. sog. std. \
    stellv. tägl. u.a. u.s.w. u.U. u.v.m. usf. usw. uvm. v.a. v.Chr. vgl. vllt. vlt. vs. wiss. z.B. z.Bsp. z.T. \
    z.Z. z.Zt. z.b. zzgl. i.d.R. i.e. e.g. I. II. III. IV. 'S 's 'n 'ne 'nem 'nen S' s' d' L' B.Sc. M.Sc. Betr. \
    Bf. Bsp. CDU/CSU Dipl.-Ing. G.m.b.H. Hrn. Mrz. MwSt. Orig. Pkt. a.D. a.M. a.Z. adv. al. biol. c/o e.V. ebd. \
    erm. ggfs. h.c. i.A. i.G. i.O. i.Tr. i.V. incl. jun. kath. m.E. m.M. o.k. p.s. pers. q.e.d. rer. röm. \
    v.l.n.r. österr.";

fn prefix(word: &str) -> usize {
    if word.starts_with("``") { "``".len() } else { affixes::prefix(word) }
}

fn suffix(word: &str) -> usize {
    let stop = full_stop(word, |c| ends_word(c) || is_mark(c) || c == '|');
    [one_of(word, &["''", "/"]), mark(word), symbol(word), measure(word), stop].into_iter().max().unwrap_or(0)
}

fn infix(before: &str, rest: &str) -> Option<usize> {
    dutch::compound(before, rest)
        .or_else(|| between(before, rest, ":<>=", is_letter, is_letter))
        .or_else(|| between(before, rest, "/", is_letter_or_digit, is_letter_or_digit))
        .or_else(|| between(before, rest, "-", is_digit, is_digit))
}
