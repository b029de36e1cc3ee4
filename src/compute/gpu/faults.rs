//! What a device reports outside of any call: errors nobody asked for, and its loss.

use std::sync::{Arc, Mutex, PoisonError};

use super::super::DeviceError;

/// Keeps the first fault; without it wgpu would panic or stay silent.
pub(super) struct Faults(Arc<Mutex<Option<String>>>);

impl Faults {
    pub(super) fn watch(device: &wgpu::Device) -> Self {
        let first = Arc::new(Mutex::new(None));
        let note = |first: &Mutex<Option<String>>, text: String| {
            first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(text);
        };
        let errors = Arc::clone(&first);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| note(&errors, error.to_string())));
        let losses = Arc::clone(&first);
        device.set_device_lost_callback(move |reason, text| note(&losses, format!("{reason:?}: {text}")));
        Self(first)
    }

    pub(super) fn check(&self) -> Result<(), DeviceError> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            Some(fault) => Err(DeviceError::Lost(fault.clone())),
            None => Ok(()),
        }
    }
}
