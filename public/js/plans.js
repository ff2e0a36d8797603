// The steps of each plan in their order: what the page shows until the service has answered where the club stands.

export const STEPS = {
  starter: ["seed_defaults", "configure_routing", "validate_webhook", "create_owner", "send_welcome_email", "activate"],
  pro: [
    "seed_defaults",
    "configure_routing",
    "create_spreadsheet",
    "verify_spreadsheet",
    "create_owner",
    "send_welcome_email",
    "activate",
  ],
};
