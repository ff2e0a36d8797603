// The statements of an import: each may run twice and is done once. Nothing is mailed, delivered or announced by any of them.
import { literal } from "../d1.mjs";
import { IMPORTED, ownerRoles } from "./plan.mjs";
import { seal } from "./seal.mjs";

const text = (value) => literal(`t${Buffer.from(value, "utf8").toString("hex")}`);
const sql = (value) => (value === null ? "NULL" : typeof value === "number" ? String(value) : text(value));

function insert(table, row, conflict = "do nothing") {
  return `insert into ${table} (${Object.keys(row).join(", ")}) values (${Object.values(row).map(sql).join(", ")}) on conflict ${conflict}`;
}

/** `dataKey` seals the webhooks' secrets; `audit` says who imports what. */
export function statementsOf({ tenants, codes, redemptions }, dataKey, audit) {
  return [
    ...codes.map(insertCode),
    ...tenants.flatMap((tenant) => insertTenant(tenant, dataKey)),
    ...redemptions.flatMap(redeem),
    insert("audit_log", audit),
  ];
}

const insertCode = (code) =>
  insert("promo_codes", {
    code: code.code,
    discount_percent: code.discount,
    plan: code.plan,
    lifetime: code.lifetime,
    active: code.active,
    starts_at: code.startsAt,
    valid_until: code.validUntil,
    max_uses: code.maxUses,
    uses: code.usesBefore,
    tenant_slugs: code.slugs,
    notes: code.notes,
    created_at: code.createdAt,
  });

/** A name or an address that somebody took meanwhile ends the whole import: only the tenant itself may be there already. */
function insertTenant(tenant, dataKey) {
  const { id } = tenant;
  const person = (user, email, roles) => insert("auth_users", { id: user.id, tenant_id: id, email, roles, created_at: user.createdAt });
  return [
    insert(
      "tenants",
      {
        id,
        slug: tenant.slug,
        name: tenant.name,
        email: tenant.email,
        plan: tenant.plan,
        status: tenant.status,
        comped: tenant.comped,
        trial_ends_at: tenant.trialEndsAt,
        billing_tier: tenant.billingTier,
        promo_code_used: tenant.promoCode,
        owner_user_id: tenant.owner.id,
        signup_fingerprint: `${IMPORTED}${tenant.oldId}`,
        route_ready: tenant.routeReady,
        provision_state: tenant.isLive ? "completed" : "pending",
        provision_updated_at: tenant.provisionedAt,
        provisioned_at: tenant.provisionedAt,
        owner_email_sent_at: tenant.mailedAt,
        created_at: tenant.createdAt,
        updated_at: tenant.updatedAt,
      },
      "(id) do nothing",
    ),
    ...(tenant.brand === null
      ? []
      : [insert("tenant_brand", { tenant_id: id, primary_color: tenant.brand.colours[0], secondary_color: tenant.brand.colours[1], updated_at: tenant.brand.updatedAt })]),
    ...(tenant.webhook === null
      ? []
      : [insert("make_connections", { tenant_id: id, webhook_url: tenant.webhook.url, webhook_secret: seal(dataKey, tenant.webhook.secret, id), updated_at: tenant.updatedAt })]),
    // Whoever goes on with the setup becomes the owner by that.
    ...(tenant.isLive ? [person(tenant.owner, tenant.email, ownerRoles)] : []),
    ...tenant.members.map((member) => person(member, member.email, JSON.stringify(member.roles))),
  ];
}

/** Counted before it is listed, so that it is counted once. A cap that was exceeded there is met here. */
function redeem({ tenant, code, discount, at }) {
  const isListed = `exists (select 1 from promo_redemptions where code = ${sql(code)} and tenant_id = ${sql(tenant)})`;
  return [
    `update promo_codes set uses = uses + 1, max_uses = iif(max_uses <= uses, uses + 1, max_uses) where code = ${sql(code)} and not ${isListed}`,
    insert("promo_redemptions", { code, tenant_id: tenant, discount_percent: discount, redeemed_at: at }),
  ];
}
