mod events;
mod me;
mod overview;
mod provision_retry;
mod provision_status;
mod webhook_deliveries;
mod webhook_test;
mod welcome_resend;
