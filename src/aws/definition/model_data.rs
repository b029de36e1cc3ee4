//! ModelDataUrl or ModelDataSource of a container → where the model's files are. Opens nothing.

use std::path::Path;

use super::location::{is_remote, local_path};
use super::members::Members;
use super::pattern;
use super::shape::{Absent, Choice, Text, Word};
use crate::aws::service_model::OfShape;
use crate::endpoints::ModelSource;

const MODEL_DATA_URL: Text = Text { chars: 1..=1024, pattern: pattern::ANY };
const S3_URI: Text = Text { chars: 1..=1024, pattern: pattern::ANY };
const COMPRESSION_TYPES: Word = Word(&["None", "Gzip"]);

/// Whether it stands for all objects below it.
const DATA_TYPES: Choice<bool> = Choice(&[("S3Object", false), ("S3Prefix", true)]);

const NOT_COMPARED: Absent = Absent("Member must be null: what is stored is not compared with anything");

/// What is to be read at a location.
pub struct ModelData<'a> {
    /// Relative paths begin here.
    pub folder: &'a Path,
    pub has_many_models: bool,
    /// A container reads it, in its own way.
    pub is_foreign: bool,
}

impl ModelData<'_> {
    /// None where there is none, or it was refused.
    pub fn read(&self, container: &mut Members) -> Option<String> {
        let url = container.take("ModelDataUrl", &MODEL_DATA_URL);
        let url = url.and_then(|url| self.checked(container, "ModelDataUrl", url));
        let read_source = |part: &mut Members| {
            part.require("S3DataSource");
            part.structure("S3DataSource", |part| self.read_s3(part)).flatten()
        };
        let source = container.structure("ModelDataSource", read_source).flatten();
        if container.has("ModelDataUrl") && container.has("ModelDataSource") {
            container.refuse("ModelDataSource", "Member must be null when ModelDataUrl is given");
        }
        url.or(source)
    }

    fn read_s3(&self, part: &mut Members) -> Option<String> {
        for name in ["S3Uri", "S3DataType", "CompressionType"] {
            part.require(name);
        }
        // What a file is, is told from its first bytes.
        part.take("CompressionType", &COMPRESSION_TYPES);
        part.take("ModelAccessConfig", &OfShape("ModelAccessConfig"));
        part.take("HubAccessConfig", &Absent("Member must be null: there is no hub of models here"));
        for name in ["ManifestS3Uri", "ETag", "ManifestEtag"] {
            part.take(name, &NOT_COMPARED);
        }
        let is_prefix = part.take("S3DataType", &DATA_TYPES);
        if let Some(is_prefix) =
            is_prefix.filter(|is_prefix| !self.is_foreign && *is_prefix != self.has_many_models)
        {
            let constraint = match is_prefix {
                true => "Member must be S3Object, unless Mode is MultiModel: one model is one file",
                false => "Member must be S3Prefix when Mode is MultiModel",
            };
            part.refuse("S3DataType", constraint);
        }
        let location = part.take("S3Uri", &S3_URI)?;
        self.checked(part, "S3Uri", location)
    }

    fn checked(&self, part: &mut Members, name: &str, location: String) -> Option<String> {
        if self.is_foreign || self.source(&location).is_some() {
            return Some(location);
        }
        let constraint = match self.has_many_models {
            true => "Member must be a folder of model files: a local path, file: or s3://BUCKET/PREFIX",
            false => "Member must be a model file: a local path, file:, s3://BUCKET/KEY or https://",
        };
        part.refuse(name, constraint);
        None
    }

    /// None where this program cannot read it.
    pub fn source(&self, location: &str) -> Option<ModelSource> {
        match (local_path(location, self.folder), self.has_many_models) {
            (Some(path), false) => Some(ModelSource::File(path)),
            (Some(path), true) => Some(ModelSource::Folder(path)),
            (None, _) if !is_remote(location) => None,
            (None, false) => Some(ModelSource::Remote(location.to_owned())),
            (None, true) => location.starts_with("s3://").then(|| ModelSource::Prefix(as_folder(location))),
        }
    }

    /// What stands before the names of models where a container loads them from: an absolute folder, a URL as it is.
    pub fn models_prefix(&self, location: &str) -> String {
        let local = local_path(location, self.folder).and_then(|path| std::path::absolute(path).ok());
        as_folder(&local.map_or_else(|| location.to_owned(), |path| path.display().to_string()))
    }
}

fn as_folder(location: &str) -> String {
    format!("{}/", location.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::aws::definition::read;
    use crate::config::Kernel;

    /// What of an endpoint with this container answers, or its faults without their number.
    fn model(container: Value) -> String {
        let definition = json!({ "EndpointName": "e", "PrimaryContainer": container }).to_string();
        match read(definition.as_bytes(), Path::new("folder"), Kernel::Shapley) {
            Ok(setup) => format!("{:?}", setup.model),
            Err(error) => error.to_string().split_once(": ").expect("has faults").1.to_owned(),
        }
    }

    fn source(uri: &str, kind: &str, mode: &str) -> Value {
        let source = json!({ "S3Uri": uri, "S3DataType": kind, "CompressionType": "None" });
        json!({ "ModelDataSource": { "S3DataSource": source }, "Mode": mode })
    }

    #[test]
    fn a_model_is_a_file_or_an_object_and_many_are_a_folder_or_a_prefix() {
        for (location, one, many) in [
            ("m", "File(\"folder/m\")", "Folder(\"folder/m\")"),
            ("file:m", "File(\"folder/m\")", "Folder(\"folder/m\")"),
            ("s3://bucket/m", "Remote(\"s3://bucket/m\")", "Prefix(\"s3://bucket/m/\")"),
            ("s3://bucket/m/", "Remote(\"s3://bucket/m/\")", "Prefix(\"s3://bucket/m/\")"),
            ("s3://bucket", "Remote(\"s3://bucket\")", "Prefix(\"s3://bucket/\")"),
        ] {
            assert_eq!(model(json!({ "ModelDataUrl": location })), one);
            assert_eq!(model(source(location, "S3Object", "SingleModel")), one);
            assert_eq!(model(json!({ "ModelDataUrl": location, "Mode": "MultiModel" })), many);
            assert_eq!(model(source(location, "S3Prefix", "MultiModel")), many);
        }
        assert_eq!(model(json!({ "ModelDataUrl": "https://host/m?a=b" })), "Remote(\"https://host/m?a=b\")");
    }

    #[test]
    fn locations_that_cannot_be_read_are_refused_where_they_stand() {
        let one = "Member must be a model file: a local path, file:, s3://BUCKET/KEY or https://";
        let many = "Member must be a folder of model files: a local path, file: or s3://BUCKET/PREFIX";
        for (location, is_many, constraint) in [
            ("http://user:secret@host/m?secret", false, one),
            ("gs://bucket/m", false, one),
            ("s3:///m", false, one),
            ("https://host/m", true, many),
            ("gs://bucket/m", true, many),
        ] {
            let (kind, mode) = if is_many { ("S3Prefix", "MultiModel") } else { ("S3Object", "SingleModel") };
            for (member, container) in [
                ("modelDataUrl", json!({ "ModelDataUrl": location, "Mode": mode })),
                ("modelDataSource.s3DataSource.s3Uri", source(location, kind, mode)),
            ] {
                let told = model(container);
                let end = format!("' at 'primaryContainer.{member}' failed to satisfy constraint: {constraint}");
                assert!(told.ends_with(&end) && !told.contains("secret"), "{told}");
            }
        }
    }

    #[test]
    fn a_source_must_fit_the_mode_and_say_all_that_is_required() {
        let at = "primaryContainer.modelDataSource";
        for (container, expected) in [
            (
                source("s3://b/m", "S3Prefix", "SingleModel"),
                format!(
                    "'S3Prefix' at '{at}.s3DataSource.s3DataType' failed to satisfy constraint: Member must be \
                         S3Object, unless Mode is MultiModel: one model is one file"
                ),
            ),
            (
                source("s3://b/m", "S3Object", "MultiModel"),
                format!(
                    "'S3Object' at '{at}.s3DataSource.s3DataType' failed to satisfy constraint: Member must be \
                         S3Prefix when Mode is MultiModel"
                ),
            ),
            (
                json!({ "ModelDataSource": {} }),
                format!("null at '{at}.s3DataSource' failed to satisfy constraint: Member must not be null"),
            ),
            (
                json!({ "ModelDataUrl": "m", "ModelDataSource": source("m", "S3Object", "")["ModelDataSource"] }),
                format!("at '{at}' failed to satisfy constraint: Member must be null when ModelDataUrl is given"),
            ),
        ] {
            let told = model(container);
            assert!(told.starts_with("Value ") && told.ends_with(&expected), "{told}");
        }
        let told =
            model(json!({ "ModelDataSource": { "S3DataSource": { "ETag": "x", "ManifestS3Uri": "s3://a/b" } } }));
        for member in ["s3Uri", "s3DataType", "compressionType", "eTag", "manifestS3Uri"] {
            assert!(told.contains(&format!("at '{at}.s3DataSource.{member}' failed")), "{told}");
        }
    }

    #[test]
    fn a_running_container_reads_a_source_in_its_own_way() {
        for (kind, mode) in [("S3Object", "SingleModel"), ("S3Prefix", "SingleModel"), ("S3Prefix", "MultiModel")]
        {
            let mut container = source("s3://bucket/m", kind, mode);
            container["Image"] = "http://image:1".into();
            let models = if mode == "MultiModel" { "Some(\"s3://bucket/m/\")" } else { "None" };
            assert!(model(container).ends_with(&format!("models: {models} }})")));
        }
    }

    #[test]
    fn members_of_hosted_scripts_are_checked_and_have_no_effect() {
        let plain = json!({ "ModelDataUrl": "m" });
        let mut full = plain.clone();
        for (name, value) in [
            ("ContainerHostname", json!("primary")),
            (
                "ImageConfig",
                json!({ "RepositoryAccessMode": "Vpc",
                "RepositoryAuthConfig": { "RepositoryCredentialsProviderArn": "arn" } }),
            ),
            ("MultiModelConfig", json!({ "ModelCacheSetting": "Disabled" })),
            ("ContainerMetricsConfig", json!({ "MetricsEndpoints": [{ "MetricsEndpointPath": "/metrics" }] })),
        ] {
            full[name] = value;
        }
        assert_eq!(model(full.clone()), model(plain));
        for (name, value, part) in [
            ("ContainerHostname", json!("a b"), "regular expression"),
            ("ImageConfig", json!({ "RepositoryAccessMode": "x" }), "enum value set: [Platform, Vpc]"),
            ("MultiModelConfig", json!({ "ModelCacheSetting": 1 }), "can not be converted to a String"),
            ("ContainerMetricsConfig", json!({ "MetricsEndpoints": [{}] }), "Member must not be null"),
            ("ModelPackageName", json!("p"), "no registry of model packages"),
            ("InferenceSpecificationName", json!("p"), "no registry of model packages"),
            ("AdditionalModelDataSources", json!([]), "a model is one file"),
        ] {
            let mut container = full.clone();
            container[name] = value;
            let told = model(container);
            assert!(told.starts_with("Value ") && told.contains(part) && !told.contains("; Value"), "{told}");
        }
    }
}
