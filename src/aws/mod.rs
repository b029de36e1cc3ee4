//! AWS's words: endpoint definitions, headers, the response document, error codes. Everything else speaks the game.

pub mod definition;
pub mod document;
pub mod error;
mod explainer_config;
pub mod fault;
pub mod headers;
mod json;
mod location;
mod members;
mod pattern;
mod primary_container;
mod shape;
