// Back to the wizard for a club that was created and not set up. What only that needs is loaded when it is pressed.

/** Leaves for the wizard, which goes on with this club. */
export async function goOn({ id, slug, name, email, plan, trialEndsAt, comped }) {
  const [draft, session] = await Promise.all([import("../draft.js"), import("../session.js")]);
  await draft.open();
  await draft.adopt({ id, slug, name, email, plan, trialEndsAt, comped, emailProven: true });
  session.openCookie(id);
  location.assign("/");
}
