//! Settings: read once from the variables of the environment, checked, and told all at once where they are wrong.
//!
//! Nothing here reads the environment: a `main` hands in the variables as a map. Every variable stands in [`VARIABLES`],
//! which the docs are made from; a test holds the readers of each role to it.

mod enrichment;
mod parts;
mod reading;
mod redis_url;
mod reference;
mod risk;
mod role;
mod roles;
mod spelling;
mod variables;

pub use enrichment::EnrichmentConfig;
pub use parts::{Common, DatabaseConfig, HttpConfig, IntakeConfig, QueueConfig, RedisConfig, SpreadConfig, WorkConfig};
pub use reading::{ConfigError, Reader, Variables};
pub use reference::reference;
pub use role::Role;
pub use roles::{ApiConfig, CollectorConfig, ProcessorConfig, RealtimeConfig, RoleConfig, StandaloneConfig};
pub use variables::{VARIABLES, Variable};
