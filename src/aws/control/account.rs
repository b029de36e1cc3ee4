//! Whose resources these are: names ↔ ARNs. An ARN carries the name in small letters.

/// What the control plane keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Model,
    EndpointConfig,
    Endpoint,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Model, Self::EndpointConfig, Self::Endpoint];

    /// In ARNs, and as a shelf of the store.
    pub fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::EndpointConfig => "endpoint-config",
            Self::Endpoint => "endpoint",
        }
    }

    /// In sentences.
    pub fn text(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::EndpointConfig => "endpoint configuration",
            Self::Endpoint => "endpoint",
        }
    }
}

/// Names that differ only in their case are one name.
pub fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

#[derive(Clone, Debug)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    pub region: String,
}

impl Account {
    pub fn arn(&self, kind: Kind, name: &str) -> String {
        format!("{}{}/{}", self.prefix(), kind.word(), key(name))
    }

    /// None for what is not ours.
    pub fn read_arn(&self, arn: &str) -> Option<(Kind, String)> {
        let (word, name) = arn.strip_prefix(&self.prefix())?.split_once('/')?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word)?;
        Some((kind, key(name)))
    }

    fn prefix(&self) -> String {
        let partition = match self.region.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:sagemaker:{}:{}:", self.region, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_carry_small_letters_and_lead_back() {
        let account = |region: &str| Account { id: "000000000000".to_owned(), region: region.to_owned() };
        for (region, kind, name, arn) in [
            ("us-west-2", Kind::Endpoint, "DEMO-a", "arn:aws:sagemaker:us-west-2:000000000000:endpoint/demo-a"),
            ("eu-west-1", Kind::EndpointConfig, "A", "arn:aws:sagemaker:eu-west-1:000000000000:endpoint-config/a"),
            ("cn-north-1", Kind::Model, "m", "arn:aws-cn:sagemaker:cn-north-1:000000000000:model/m"),
            ("us-gov-west-1", Kind::Model, "m", "arn:aws-us-gov:sagemaker:us-gov-west-1:000000000000:model/m"),
        ] {
            assert_eq!(account(region).arn(kind, name), arn);
            assert_eq!(account(region).read_arn(arn), Some((kind, key(name))));
            assert_eq!(account("us-east-1").read_arn(arn), None);
        }
        assert_eq!(account("r").read_arn("arn:aws:sagemaker:r:000000000000:notebook/m"), None);
    }
}
