mod idempotency;
mod provisioning;
mod sagas;
mod sagas_actions;
mod upstreams;
