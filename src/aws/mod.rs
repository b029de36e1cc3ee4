//! AWS's words: endpoint definitions, headers, the response document, error codes. Everything else speaks the game.

pub mod advice;
pub mod control;
pub mod definition;
pub mod document;
pub mod error;
pub mod fault;
pub mod headers;
pub mod service_model;
pub mod signature;
