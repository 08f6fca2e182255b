//! Settings: read once from the variables of the environment, checked, and told all at once where they are wrong.

pub mod reading;
pub mod roles;
pub mod variables;

pub use reading::{ConfigError, Reader, Variables};
pub use roles::{ApiConfig, Common, CollectorConfig, HttpConfig, ProcessorConfig, RealtimeConfig, StandaloneConfig};
pub use variables::reference;
