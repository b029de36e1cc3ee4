//! Which vector instructions a kernel is compiled for; chosen once, when the program starts.

use std::fmt;

/// An instruction set that this processor has: there is no other way to make one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Instructions(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    /// What every machine of the target has: SSE2, NEON.
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// A computation whose source is compiled once for each instruction set. None of them reorders or fuses floating-point
/// operations, so that all give the same bits.
pub(super) trait Kernel {
    type Output;
    /// Has to be `#[inline(always)]`, and so have the functions it spends its time in.
    fn run(self) -> Self::Output;
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
            available.extend(has_avx512().then_some(Self(Set::Avx512)));
        }
        available
    }

    /// Whether vectors are as narrow as on any machine of the target.
    pub(super) fn is_baseline(self) -> bool {
        self.0 == Set::Baseline
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn has_avx512(self) -> bool {
        self.0 == Set::Avx512
    }

    pub(super) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Set::Baseline => kernel.run(),
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "`Instructions` names only what the processor was asked for and has")]
            Set::Avx2 => unsafe { run_avx2(kernel) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "`Instructions` names only what the processor was asked for and has")]
            Set::Avx512 => unsafe { run_avx512(kernel) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    let has = (is_x86_feature_detected!("avx512f"), is_x86_feature_detected!("avx512bw"));
    has == (true, true) && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

impl fmt::Debug for Instructions {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
