// The API as the console asks it: by the browser's cookie, for the club that this tab shows. Every call answers and none throws: see
// ../api.js for the kinds of answers, and below for two more that end the screen.

import { call } from "../api.js";
import { kept } from "../storage.js";

/** Where the sign-in leads back to; ../magic.js reads it. */
const BACK = "tenantry.back";

/** The club that this tab shows. Another tab may have signed in to another one since. */
let club = null;
export const showsClub = (id) => {
  club = id;
};

let tellOther = () => {};
/** `tell` hears that the browser is signed in to another club than this tab shows. */
export const whenOther = (tell) => {
  tellOther = tell;
};

/** Signed out: to the sign-in, which leads back to this screen. */
export function signIn() {
  kept.write(BACK, { path: location.pathname + location.search, at: Date.now() });
  location.replace("/magic/");
}

const ENDED = ["token_revoked", 'unexpected "aud" claim value'];

/** Does one call. Beside ../api.js, `kind` may be `gone`: the page is leaving, or says so; nobody has to react. */
export async function ask(method, path, options = {}) {
  const answer = await call(method, path, { ...options, token: { tenantId: club } });
  const { code, reason } = answer.error ?? {};
  if (answer.status === 401 || ENDED.includes(reason)) {
    signIn();
    return { ...answer, kind: "gone" };
  }
  if (code === "OTHER_TENANT" || reason === "tenant_mismatch") {
    tellOther();
    return { ...answer, kind: "gone" };
  }
  return answer;
}

/** A path of the club's own: `ofClub("events")`. */
export const ofClub = (rest) => `/api/v1/tenants/${encodeURIComponent(club)}/${rest}`;
