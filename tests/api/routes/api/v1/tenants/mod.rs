mod events;
mod me;
mod provision_retry;
mod provision_status;
mod webhook_deliveries;
mod webhook_test;
mod welcome_resend;
mod overview;
