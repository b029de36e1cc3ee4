//! What the splits of trees look at: an input as a *key*, a u32 whose order is the order of the numbers.
//!
//! | input | key |
//! |---|---|
//! | −∞ ... −0 = 0 ... ∞ | 0x007F_FFFF ... 0xFF80_0000 |
//! | missing, where that goes left | 0 |
//! | missing, where that goes right | 0xFFFF_FFFF |
//!
//! A split is one comparison of integers, the same on every device: shaders may take NaN and subnormal numbers
//! for something else, integers never.

/// Below this LightGBM takes a number for zero (`kZeroThreshold` in `include/LightGBM/meta.h`).
const ZERO_MAX: f32 = 1e-35;

const LEFT: u32 = 0;
const RIGHT: u32 = u32::MAX;

/// How a split sees one input.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum View {
    Number {
        input: u32,
        missing_right: bool,
        /// Zero is missing too.
        zero_is_missing: bool,
    },
    /// Its key is `LEFT` or `RIGHT`, whatever the threshold.
    Category {
        input: u32,
        set: CategorySet,
        /// Where the set's categories go; all others go to the other side.
        inside_right: bool,
        missing_right: bool,
    },
}

/// Some categories, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CategorySet {
    /// Bit c of word c / 32.
    pub words: Vec<u32>,
    pub fractions: Fractions,
}

/// Which category a number stands for that is not whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fractions {
    /// Cut towards zero, so that −0.5 is category 0: LightGBM.
    Cut,
    /// Cut towards zero, but nothing negative is a category: XGBoost.
    CutUnlessNegative,
    /// None: ONNX compares for equality.
    Refused,
}

impl CategorySet {
    fn contains(&self, x: f32) -> bool {
        let is_category = match self.fractions {
            Fractions::Cut => x > -1.0,
            Fractions::CutUnlessNegative => x >= 0.0,
            Fractions::Refused => x >= 0.0 && x.fract() == 0.0,
        };
        // Casts of numbers beyond u32 saturate, which no set is long enough for.
        let category = x as u32;
        let word = self.words.get((category / u32::BITS) as usize);
        is_category && word.is_some_and(|word| word >> (category % u32::BITS) & 1 == 1)
    }
}

impl View {
    /// Of the row of inputs that it looks at.
    pub fn input(&self) -> u32 {
        match *self {
            Self::Number { input, .. } | Self::Category { input, .. } => input,
        }
    }

    /// The key of one number; NaN is missing.
    pub fn key(&self, x: f32) -> u32 {
        let side = |right: bool| if right { RIGHT } else { LEFT };
        match self {
            Self::Number { missing_right, zero_is_missing, .. } => {
                let is_missing = x.is_nan() || (*zero_is_missing && x.abs() <= ZERO_MAX);
                if is_missing { side(*missing_right) } else { number_key(x) }
            }
            Self::Category { missing_right, .. } if x.is_nan() => side(*missing_right),
            Self::Category { set, inside_right, .. } => side(set.contains(x) == *inside_right),
        }
    }
}

/// Ordered as the numbers are; −0 and 0 are one. Not for NaN.
pub(super) fn number_key(x: f32) -> u32 {
    // −0 + 0 is 0.
    let bits = (x + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ordered_as_numbers_and_missing_ones_stand_outside() {
        let (tiny, inf) = (f32::from_bits(1), f32::INFINITY);
        let numbers = [-inf, f32::MIN, -1.0, -tiny, 0.0, tiny, 1.0, f32::MAX, inf];
        assert!(numbers.map(number_key).is_sorted_by(|a, b| a < b));
        assert_eq!(number_key(-0.0), number_key(0.0));
        assert!(number_key(-inf) > LEFT + 1 && number_key(inf) < RIGHT);
    }

    #[test]
    fn missing_values_go_where_the_view_says() {
        let view = |missing_right, zero_is_missing| View::Number { input: 0, missing_right, zero_is_missing };
        assert_eq!(view(false, false).key(f32::NAN), LEFT);
        assert_eq!(view(true, false).key(f32::NAN), RIGHT);
        assert_eq!(view(true, true).key(-1e-36), RIGHT);
        assert_eq!(view(true, false).key(0.0), number_key(0.0));
        assert_eq!(view(true, true).key(1e-34), number_key(1e-34));
    }

    #[test]
    fn categories_are_whole_numbers_from_zero_on() {
        let view = |fractions, inside_right, missing_right| View::Category {
            input: 0,
            set: CategorySet { words: vec![0b101, 1 << 31], fractions },
            inside_right,
            missing_right,
        };
        let keys = |fractions| {
            let numbers = [0.0, 1.0, 2.0, 63.0, 64.0, -0.5, 2.5, -1.0, 1e30, f32::INFINITY, f32::NAN];
            numbers.map(|x| u8::from(view(fractions, true, true).key(x) == RIGHT))
        };
        assert_eq!(keys(Fractions::Cut), [1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 1]);
        assert_eq!(keys(Fractions::CutUnlessNegative), [1, 0, 1, 1, 0, 0, 1, 0, 0, 0, 1]);
        assert_eq!(keys(Fractions::Refused), [1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!([1.0, 0.0].map(|x| view(Fractions::Cut, false, false).key(x)), [RIGHT, LEFT]);
        assert_eq!(view(Fractions::Cut, false, false).key(f32::NAN), LEFT);
    }
}
