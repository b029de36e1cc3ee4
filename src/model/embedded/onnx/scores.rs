//! Scores as exact expressions: margins, that is weighted sums over a basis, and weighted sums of curves of margins.
//! Here 1 − p and p are known to belong together, whatever nodes they came through.

use super::values::{BasisId, check_width};
use super::wrong;

/// Columns of scores; hidden layers are no wider.
pub(super) const SCORES_MAX: usize = 8_192;

#[derive(Clone, Debug)]
pub(super) struct Scores {
    pub basis: BasisId,
    pub columns: Vec<Score>,
}

/// `offset + Σ weights · basis`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Margin {
    pub weights: Vec<f64>,
    pub offset: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Score {
    Margin(Margin),
    /// `offset + Σ factor · curve(margin)`.
    Curves {
        terms: Vec<Term>,
        offset: f64,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub factor: f64,
    pub curve: Curve,
    pub margin: Margin,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Curve {
    Relu,
    Tanh,
    Logistic,
    Exponential,
    /// The share of the `index`-th of `n` margins.
    Softmax {
        id: usize,
        index: usize,
        n: usize,
    },
}

impl Scores {
    pub fn new(basis: BasisId, columns: Vec<Score>) -> Result<Self, String> {
        check_width(columns.len())?;
        if columns.len() > SCORES_MAX {
            return Err(wrong("the number of scores", columns.len(), format!("at most {SCORES_MAX}")));
        }
        Ok(Self { basis, columns })
    }

    pub fn map(&self, f: impl FnMut(&Score) -> Result<Score, String>) -> Result<Self, String> {
        Ok(Self { basis: self.basis, columns: self.columns.iter().map(f).collect::<Result<_, _>>()? })
    }

    /// Numbers that these scores are made of.
    pub fn cost(&self) -> usize {
        self.columns.iter().map(Score::cost).sum()
    }

    /// All columns, if they are margins.
    pub fn margins(&self) -> Option<Vec<&Margin>> {
        self.columns.iter().map(Score::margin).collect()
    }

    /// The same over a basis that has more numbers before and after.
    pub fn padded(&self, basis: BasisId, before: usize, after: usize) -> Self {
        Self { basis, columns: self.columns.iter().map(|score| score.padded(before, after)).collect() }
    }
}

impl Margin {
    /// One number of the basis.
    pub fn unit(n: usize, index: usize) -> Self {
        let mut weights = vec![0.0; n];
        weights[index] = 1.0;
        Self { weights, offset: 0.0 }
    }

    pub fn scaled(&self, factor: f64) -> Self {
        Self { weights: self.weights.iter().map(|weight| weight * factor).collect(), offset: self.offset * factor }
    }

    pub fn shifted(&self, by: f64) -> Self {
        Self { weights: self.weights.clone(), offset: self.offset + by }
    }

    fn padded(&self, before: usize, after: usize) -> Self {
        let weights = [vec![0.0; before].as_slice(), &self.weights, vec![0.0; after].as_slice()].concat();
        Self { weights, offset: self.offset }
    }

    pub fn plus(&self, other: &Self) -> Self {
        let sum = self.weights.iter().zip(&other.weights).map(|(a, b)| a + b);
        Self { weights: sum.collect(), offset: self.offset + other.offset }
    }
}

impl Score {
    /// A curve of a margin. Both σ(−m) and 1 − σ(m) are written as the second.
    pub fn curve(curve: Curve, margin: Margin) -> Self {
        let first = margin.weights.iter().find(|&&weight| weight != 0.0);
        if curve == Curve::Logistic && first.is_some_and(|&weight| weight < 0.0) {
            let term = Term { factor: -1.0, curve, margin: margin.scaled(-1.0) };
            return Self::Curves { terms: vec![term], offset: 1.0 };
        }
        Self::Curves { terms: vec![Term { factor: 1.0, curve, margin }], offset: 0.0 }
    }

    pub fn scaled(&self, by: f64) -> Self {
        match self {
            Self::Margin(margin) => Self::Margin(margin.scaled(by)),
            Self::Curves { terms, offset } => {
                let scaled = |term: &Term| Term { factor: term.factor * by, ..term.clone() };
                Self::Curves { terms: terms.iter().map(scaled).collect(), offset: offset * by }
            }
        }
    }

    pub fn shifted(&self, by: f64) -> Self {
        match self {
            Self::Margin(margin) => Self::Margin(margin.shifted(by)),
            Self::Curves { terms, offset } => Self::Curves { terms: terms.clone(), offset: offset + by },
        }
    }

    pub fn plus(&self, other: &Self) -> Result<Self, String> {
        match (self, other) {
            (Self::Margin(a), Self::Margin(b)) => Ok(Self::Margin(a.plus(b))),
            (Self::Curves { terms: a, offset: x }, Self::Curves { terms: b, offset: y }) => {
                Ok(Self::Curves { terms: merged(a, b), offset: x + y }.without_whole_softmax())
            }
            _ => Err("a sum of margins and of curves of margins is not supported".to_owned()),
        }
    }

    /// The shares of all margins of a softmax add up to 1.
    fn without_whole_softmax(self) -> Self {
        match &self {
            Self::Curves { terms, offset } => match terms.as_slice() {
                [Term { factor, curve: Curve::Softmax { n, .. }, .. }, ..] if is_whole_softmax(terms, *n) => {
                    Self::Curves { terms: Vec::new(), offset: offset + factor }
                }
                _ => self,
            },
            Self::Margin(_) => self,
        }
    }

    /// The one number that this is for all records.
    pub fn constant(&self) -> Option<f64> {
        match self {
            Self::Margin(margin) => margin.weights.iter().all(|&weight| weight == 0.0).then_some(margin.offset),
            Self::Curves { terms, offset } => terms.is_empty().then_some(*offset),
        }
    }

    /// Whether this is never below 0, by its form.
    pub fn is_share(&self) -> bool {
        match self {
            Self::Margin(_) => false,
            Self::Curves { terms, offset } => match terms.as_slice() {
                [Term { factor, curve: Curve::Logistic | Curve::Softmax { .. }, .. }] => {
                    *offset >= 0.0 && offset + factor >= 0.0
                }
                _ => false,
            },
        }
    }

    pub fn margin(&self) -> Option<&Margin> {
        match self {
            Self::Margin(margin) => Some(margin),
            Self::Curves { .. } => None,
        }
    }

    fn padded(&self, before: usize, after: usize) -> Self {
        match self {
            Self::Margin(margin) => Self::Margin(margin.padded(before, after)),
            Self::Curves { terms, offset } => {
                let padded = |term: &Term| Term { margin: term.margin.padded(before, after), ..*term };
                Self::Curves { terms: terms.iter().map(padded).collect(), offset: *offset }
            }
        }
    }

    /// Numbers that this is made of.
    pub fn cost(&self) -> usize {
        match self {
            Self::Margin(margin) => 1 + margin.weights.len(),
            Self::Curves { terms, .. } => {
                1 + terms.iter().map(|term| 2 + term.margin.weights.len()).sum::<usize>()
            }
        }
    }
}

fn is_whole_softmax(terms: &[Term], n: usize) -> bool {
    let (Curve::Softmax { id, .. }, factor) = (terms[0].curve, terms[0].factor) else { return false };
    let belongs = |term: &Term| {
        term.factor == factor && matches!(term.curve, Curve::Softmax { id: other, .. } if other == id)
    };
    // Terms of one index are merged, so that n of them are all.
    terms.len() == n && terms.iter().all(belongs)
}

/// Terms of the same curve and margin become one, or none.
fn merged(a: &[Term], b: &[Term]) -> Vec<Term> {
    let mut terms = a.to_vec();
    for term in b {
        let is_same = |other: &&mut Term| other.curve == term.curve && other.margin == term.margin;
        match terms.iter_mut().find(is_same) {
            Some(same) => same.factor += term.factor,
            None => terms.push(term.clone()),
        }
    }
    terms.retain(|term| term.factor != 0.0);
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn margin(weights: &[f64], offset: f64) -> Margin {
        Margin { weights: weights.to_vec(), offset }
    }

    #[test]
    fn a_probability_and_its_complement_add_up_to_1() {
        let p = Score::curve(Curve::Logistic, margin(&[0.0, 2.0], 1.0));
        for q in [p.scaled(-1.0).shifted(1.0), Score::curve(Curve::Logistic, margin(&[0.0, -2.0], -1.0))] {
            assert_eq!(p.plus(&q).unwrap().constant(), Some(1.0));
        }
        assert_eq!(p.plus(&p).unwrap().constant(), None);
        let m = Score::Margin(margin(&[0.0, 2.0], 1.0));
        assert_eq!(m.plus(&m.scaled(-1.0)).unwrap().constant(), Some(0.0));
        assert!(m.plus(&p).is_err());
    }

    #[test]
    fn the_shares_of_a_softmax_add_up_to_1() {
        let share = |index| Score::curve(Curve::Softmax { id: 0, index, n: 3 }, Margin::unit(3, index));
        let two = share(0).plus(&share(1)).unwrap();
        assert_eq!((two.constant(), two.plus(&share(2)).unwrap().constant()), (None, Some(1.0)));
        assert_eq!(two.plus(&share(0)).unwrap().constant(), None);
    }
}
