mod idempotency;
mod sagas;
mod sagas_actions;
mod upstreams;
