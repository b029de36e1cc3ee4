//! The mathematics of Kernel SHAP, pure: which coalitions are asked, the operator that turns
//! their values into attributions, and the links. Knows nothing of records, models or devices.
//!
//! Letters of the formulas, after Covert & Lee, "Improving KernelSHAP" (2021): M players, S coalitions,
//! v the value of a coalition, φ the attributions, Δ = v(everybody) − v(nobody).

mod bit_columns;
mod cache;
mod coalitions;
mod design;
mod kernel;
mod link;
mod operator;
mod panels;
mod philox;
mod quadrature;
mod regression;
mod symmetric;
mod trend;

pub use bit_columns::BitColumns;
pub use cache::OperatorCache;
pub use coalitions::Coalitions;
pub use design::{Design, DesignError, DesignLimits, Estimator, Method};
pub use link::{Clipped, Link, LogOdds, logistic_logits, score_logit, softmax_logits};
pub use operator::{Matrix, Operator};
pub use panels::{PANEL_WIDTH, Panels};
pub use regression::{adding_up, attributions, differences, scaled, unscaled};
