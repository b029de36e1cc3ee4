//! The operations that `X-Amz-Target` may name.

use super::error::ControlError;

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Operation {
            $($name),*
        }

        impl Operation {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),*
                }
            }
        }
    };
}

operations![
    CreateModel,
    DescribeModel,
    DeleteModel,
    ListModels,
    CreateEndpointConfig,
    DescribeEndpointConfig,
    DeleteEndpointConfig,
    ListEndpointConfigs,
    CreateEndpoint,
    DescribeEndpoint,
    UpdateEndpoint,
    UpdateEndpointWeightsAndCapacities,
    DeleteEndpoint,
    ListEndpoints,
    AddTags,
    ListTags,
    DeleteTags,
];

const SERVICE: &str = "SageMaker.";

impl Operation {
    /// The value of `X-Amz-Target`; empty where there is none.
    pub fn read(target: &str) -> Result<Self, ControlError> {
        let named = target.strip_prefix(SERVICE);
        let known = Self::ALL.iter().find(|operation| Some(operation.name()) == named);
        known.copied().ok_or_else(|| ControlError::UnknownOperation { name: target.to_owned() })
    }

    pub fn known() -> String {
        Self::ALL.iter().map(|operation| format!("{SERVICE}{}", operation.name())).collect::<Vec<_>>().join(", ")
    }
}
