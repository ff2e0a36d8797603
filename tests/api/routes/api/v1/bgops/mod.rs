mod idempotency;
mod provisioning;
mod sagas;
mod sagas_actions;
mod sagas_retry;
mod upstreams;
