//! Sums over coalitions of what conjunctions add: each adds its numbers to the coalitions that hold some players and
//! lack others. Bits of 64 coalitions are tested at once; each coalition's sum is in the order of the conjunctions,
//! whatever the vector width.

use std::ops::{AddAssign, Sub};

use super::Instructions;
use super::instructions::Kernel;
use crate::shap::BitColumns;

/// Marks a player that is to be absent.
pub const ABSENT: u32 = 1 << 31;

/// Words of 64 coalitions summed together, so that sums stay in registers.
const BLOCK_WORDS: usize = 4;
const WORD_BITS: usize = u64::BITS as usize;
/// Lanes whose bits are spread out at once.
const LANES: usize = 16;

/// Conjunctions of players with `width` numbers each.
#[derive(Clone, Debug, Default)]
pub struct Conjunctions<T> {
    /// Players one after the other, those to be absent with the bit `ABSENT`.
    pub literals: Vec<u32>,
    /// `[n_conjunctions]`, where each one's literals end.
    pub ends: Vec<u32>,
    /// `[n_conjunctions × width]`
    pub values: Vec<T>,
}

/// float32 as on devices, float64 for listings.
pub trait Sum: Copy + Default + AddAssign + Sub<Output = Self> + From<f32> {
    fn round(x: f64) -> Self;

    #[expect(private_interfaces, reason = "how sums are made is nobody else's concern")]
    fn sum(instructions: Instructions, addends: Addends<Self>, sums: &mut [Self]) {
        instructions.run(Summing { addends, sums });
    }
}

impl Sum for f64 {
    fn round(x: f64) -> Self {
        x
    }
}

impl Sum for f32 {
    fn round(x: f64) -> Self {
        x as Self
    }

    #[cfg(target_arch = "x86_64")]
    #[expect(private_interfaces, reason = "how sums are made is nobody else's concern")]
    fn sum(instructions: Instructions, addends: Addends<Self>, sums: &mut [Self]) {
        if instructions.has_avx512() {
            #[expect(unsafe_code, reason = "`Instructions` names only what the processor was asked for and has")]
            unsafe {
                avx512::sum(&addends, sums);
            }
        } else {
            instructions.run(Summing { addends, sums });
        }
    }
}

impl<T: Sum> Conjunctions<T> {
    /// None yet, with room for about so many.
    pub fn with_room(n_conjunctions: usize) -> Self {
        let [ends, literals] = [n_conjunctions, 4 * n_conjunctions].map(Vec::with_capacity);
        Self { literals, ends, values: Vec::with_capacity(n_conjunctions) }
    }

    pub fn push(&mut self, literals: &[u32], values: impl Iterator<Item = T>) {
        self.literals.extend_from_slice(literals);
        self.ends.push(self.literals.len() as u32);
        self.values.extend(values);
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn clear(&mut self) {
        self.literals.clear();
        self.ends.clear();
        self.values.clear();
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let literals = &self.literals[start..end as usize];
            start = end as usize;
            literals
        })
    }

    /// Writes number `idx` of all conjunctions summed over each coalition, `[n_words × 64]`. What stands past the last
    /// coalition has no meaning.
    pub fn sums(
        &self,
        instructions: Instructions,
        (idx, width): (usize, usize),
        columns: &BitColumns,
        sums: &mut [T],
    ) {
        let addends = Addends { conjunctions: self, idx, width, columns };
        T::sum(instructions, addends, sums);
    }
}

struct Summing<'a, T> {
    addends: Addends<'a, T>,
    sums: &'a mut [T],
}

impl<T: Sum> Kernel for Summing<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.addends.sum(self.sums);
    }
}

struct Addends<'a, T> {
    conjunctions: &'a Conjunctions<T>,
    idx: usize,
    width: usize,
    columns: &'a BitColumns,
}

/// The sums of 64 coalitions.
type Word<T> = [[T; LANES]; WORD_BITS / LANES];

impl<T: Sum> Addends<'_, T> {
    #[inline(always)]
    fn sum(&self, sums: &mut [T]) {
        let (blocks, rest) = sums.as_chunks_mut::<{ BLOCK_WORDS * WORD_BITS }>();
        let mut first_word = 0;
        for block in blocks {
            self.block::<BLOCK_WORDS>(first_word, block);
            first_word += BLOCK_WORDS;
        }
        for word in rest.chunks_exact_mut(WORD_BITS) {
            self.block::<1>(first_word, word);
            first_word += 1;
        }
    }

    #[inline(always)]
    fn block<const WORDS: usize>(&self, first_word: usize, sums: &mut [T]) {
        let mut words = [[[T::default(); LANES]; WORD_BITS / LANES]; WORDS];
        for (literals, value) in self.iter() {
            let bits = self.bits::<WORDS>(literals, first_word);
            for (word, bits) in words.iter_mut().zip(bits) {
                add(word, bits, value);
            }
        }
        sums.copy_from_slice(words.as_flattened().as_flattened());
    }

    /// Literals and number of each conjunction.
    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = (&[u32], T)> {
        let values = self.conjunctions.values.iter().skip(self.idx).step_by(self.width);
        self.conjunctions.iter().zip(values.copied())
    }

    /// Which of some neighbouring coalitions meet a conjunction.
    #[inline(always)]
    fn bits<const WORDS: usize>(&self, literals: &[u32], first_word: usize) -> [u64; WORDS] {
        let mut bits = [u64::MAX; WORDS];
        for &literal in literals {
            let flip = if literal & ABSENT == 0 { 0 } else { u64::MAX };
            let column = &self.columns.player((literal & !ABSENT) as usize)[first_word..][..WORDS];
            for (bits, column) in bits.iter_mut().zip(column) {
                *bits &= column ^ flip;
            }
        }
        bits
    }
}

/// Adds `value` where the bit of a coalition is set, else 0, which changes nothing.
#[inline(always)]
fn add<T: Sum>(word: &mut Word<T>, bits: u64, value: T) {
    for (part, sums) in word.iter_mut().enumerate() {
        let bits = (bits >> (LANES * part)) as u32;
        for (lane, sum) in sums.iter_mut().enumerate() {
            let addend = if bits & (1 << lane) == 0 { T::default() } else { value };
            *sum += addend;
        }
    }
}

/// Masks of coalitions go straight into the additions, which compilers do not see by themselves.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{__m512, _mm512_mask_add_ps, _mm512_set1_ps, _mm512_setzero_ps};

    use super::{Addends, BLOCK_WORDS, LANES, WORD_BITS};

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub(super) fn sum(addends: &Addends<f32>, sums: &mut [f32]) {
        let (blocks, rest) = sums.as_chunks_mut::<{ BLOCK_WORDS * WORD_BITS }>();
        let n_blocks = blocks.len();
        for (block_idx, block) in blocks.iter_mut().enumerate() {
            write::<BLOCK_WORDS>(addends, block_idx * BLOCK_WORDS, block);
        }
        for (word_idx, word) in rest.chunks_exact_mut(WORD_BITS).enumerate() {
            write::<1>(addends, n_blocks * BLOCK_WORDS + word_idx, word);
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    #[inline]
    fn write<const WORDS: usize>(addends: &Addends<f32>, first_word: usize, sums: &mut [f32]) {
        let mut words = [[_mm512_setzero_ps(); WORD_BITS / LANES]; WORDS];
        for (literals, value) in addends.iter() {
            let bits = addends.bits::<WORDS>(literals, first_word);
            let value = _mm512_set1_ps(value);
            for (word, bits) in words.iter_mut().zip(bits) {
                for (part, sums) in word.iter_mut().enumerate() {
                    *sums = _mm512_mask_add_ps(*sums, (bits >> (LANES * part)) as u16, *sums, value);
                }
            }
        }
        for (sums, &lanes) in sums.chunks_exact_mut(LANES).zip(words.as_flattened()) {
            sums.copy_from_slice(&array(lanes));
        }
    }

    fn array(lanes: __m512) -> [f32; LANES] {
        #[expect(unsafe_code, reason = "both are 16 float32, and any bits are one")]
        unsafe {
            std::mem::transmute(lanes)
        }
    }
}
