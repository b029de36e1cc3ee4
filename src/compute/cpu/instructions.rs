//! Which vector instructions a kernel is compiled for; chosen once, when the program starts.

use std::fmt;

/// An instruction set that this processor has: there is no other way to make one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Instructions(pub(super) Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// What every machine of the target has: SSE2, NEON.
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Instructions {
    /// The widest that this processor has.
    pub fn detect() -> Self {
        Self::available().last().copied().unwrap_or(Self(Set::Baseline))
    }

    /// All that this processor has, narrowest first.
    pub fn available() -> Vec<Self> {
        let mut available = vec![Self(Set::Baseline)];
        #[cfg(target_arch = "x86_64")]
        {
            available.extend(is_x86_feature_detected!("avx2").then_some(Self(Set::Avx2)));
            available.extend(is_x86_feature_detected!("avx512f").then_some(Self(Set::Avx512)));
        }
        available
    }
}

impl fmt::Debug for Instructions {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
