// A dump of the older service as `wrangler d1 export` writes one: the columns of its tables as its migrations made them one after the
// other, and whatever its code, its race conditions and people wrote there.

/** Columns by table, each with the migration that added it; a type behind a colon where it is not TEXT. */
const COLUMNS = {
  tenants: {
    "005": "id: TEXT PRIMARY KEY, slug: TEXT NOT NULL UNIQUE, name: TEXT NOT NULL, email: TEXT NOT NULL, plan: TEXT NOT NULL CHECK (plan IN ('starter'| 'pro')), status: TEXT NOT NULL CHECK (status IN ('trial'| 'active'| 'suspended'| 'cancelled')), comped: INTEGER NOT NULL DEFAULT 0, stripe_customer_id, stripe_subscription_id, trial_ends_at: INTEGER, created_at: INTEGER NOT NULL DEFAULT (unixepoch()), updated_at: INTEGER NOT NULL DEFAULT (unixepoch())",
    "006": "route_ready: INTEGER DEFAULT 0, owner_email_sent_at: INTEGER, provisioned_at: INTEGER",
    "010": "provision_state: TEXT DEFAULT 'pending', provision_reason, provision_updated_at",
    "012": "billing_tier, promo_code_used",
  },
  tenant_brand: {
    "005": "tenant_id: TEXT PRIMARY KEY, primary_color: TEXT NOT NULL, secondary_color: TEXT NOT NULL, badge_url, created_at: INTEGER NOT NULL DEFAULT (unixepoch()), updated_at: INTEGER NOT NULL DEFAULT (unixepoch())",
  },
  promo_codes: {
    "005": "id: TEXT PRIMARY KEY, code: TEXT NOT NULL UNIQUE, discount_percent: INTEGER NOT NULL, max_uses: INTEGER, used_count: INTEGER NOT NULL DEFAULT 0, valid_until: INTEGER, created_at: INTEGER NOT NULL DEFAULT (unixepoch())",
    "008": "active: INTEGER NOT NULL DEFAULT 1",
    "012": "lifetime: INTEGER DEFAULT 0, plan, tenant_slug_whitelist, starts_at, notes",
  },
  promo_redemptions: {
    "005": "id: TEXT PRIMARY KEY, tenant_id: TEXT NOT NULL, promo_code_id: TEXT NOT NULL, redeemed_at: INTEGER NOT NULL DEFAULT (unixepoch())",
  },
  make_connections: {
    "005": "id: TEXT PRIMARY KEY, tenant_id: TEXT NOT NULL UNIQUE, webhook_url: TEXT NOT NULL, webhook_secret: TEXT NOT NULL, scenario_id, last_synced_at: INTEGER, created_at: INTEGER NOT NULL DEFAULT (unixepoch())",
    "006": "validated_at: INTEGER, updated_at: INTEGER",
  },
  pro_automation: {
    "005": "id: TEXT PRIMARY KEY, tenant_id: TEXT NOT NULL UNIQUE, apps_script_id, service_account_email, last_synced_at: INTEGER, created_at: INTEGER NOT NULL DEFAULT (unixepoch())",
    "006": "kv_namespace, cron_schedule, apps_script_deploy_job_id, apps_script_deploy_status, updated_at: INTEGER",
  },
  auth_users: {
    "004": "id: TEXT PRIMARY KEY, tenant_id: TEXT NOT NULL, email: TEXT NOT NULL, password_hash: TEXT NOT NULL, roles: TEXT NOT NULL, profile, created_at: INTEGER NOT NULL, updated_at: INTEGER NOT NULL",
  },
  feed_posts: {
    "006": "id: TEXT PRIMARY KEY, tenant_id: TEXT NOT NULL, title: TEXT NOT NULL, content: TEXT NOT NULL, author: TEXT NOT NULL, image_url, created_at: INTEGER NOT NULL, updated_at: INTEGER NOT NULL",
  },
};

export class OlderDump {
  #rows = [];
  #upTo;
  #count = 0;

  /** `upTo` names the newest migration that was applied. */
  constructor({ upTo = "012" } = {}) {
    this.#upTo = upTo;
  }

  /** Times that are not given are long ago: an export has them all. */
  add(table, row) {
    const made = table === "promo_redemptions" ? "redeemed_at" : "created_at";
    this.#rows.push([table, { [made]: 1_740_000_000, ...row }]);
  }

  /** A tenant, and what belongs to it. */
  tenant({ plan = "starter", ...row }, { webhook, brand, automation } = {}) {
    this.add("tenants", { plan, ...row });
    const id = `${row.id}_${(this.#count += 1)}`;
    if (brand) this.add("tenant_brand", { tenant_id: row.id, primary_color: brand[0], secondary_color: brand[1] });
    if (webhook) this.add("make_connections", { id: `make_${id}`, tenant_id: row.id, webhook_url: webhook.webhookUrl, webhook_secret: webhook.webhookSecret });
    if (automation) this.add("pro_automation", { id: `pro_${id}`, tenant_id: row.id });
  }

  user(row) {
    this.add("auth_users", { password_hash: "salt:digest", created_at: 1_750_000_000, updated_at: 1_750_000_000, ...row });
  }

  sql() {
    const tables = Object.entries(COLUMNS).flatMap(([name, added]) => {
      const parts = Object.entries(added).filter(([migration]) => migration <= this.#upTo);
      const columns = parts.flatMap(([, text]) => text.split(", ")).map((column) => (column.includes(":") ? column.replace(":", "").replaceAll("|", ",") : `${column} TEXT`));
      return parts.length === 0 ? [] : [`CREATE TABLE ${name} (${columns.join(", ")});`];
    });
    const rows = this.#rows.map(([table, row]) => `INSERT INTO "${table}" (${Object.keys(row).map((column) => `"${column}"`).join(",")}) VALUES(${Object.values(row).map(literal).join(",")});`);
    return ["PRAGMA defer_foreign_keys=TRUE;", ...tables, ...rows, "CREATE INDEX idx_tenants_email ON tenants(email);", ""].join("\n");
  }
}

/** As the export writes a value: line breaks as `\n`, put back by `replace`. */
function literal(value) {
  if (value === null) return "NULL";
  if (typeof value === "number") return String(value);
  const text = `'${value.replaceAll("'", "''").replaceAll("\n", "\\n")}'`;
  return value.includes("\n") ? `replace(${text},'\\n',char(10))` : text;
}
