//! What the benchmarks share: who competes, how they are timed, how results are told.

pub mod cells;
pub mod contender;
pub mod json;
pub mod report;
pub mod spread;
pub mod table;
pub mod timing;
