//! What operators ask about runs and upstreams: `/api/v1/bgops/…`.

pub mod idempotency_keys;
pub mod pausing;
pub mod retries;
pub mod sagas;
pub mod upstreams;
