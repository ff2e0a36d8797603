// The console's screens. A line here, a file in screens/ and its words in lang/: that is a screen.

import { learn } from "./language.js";
import { Home } from "./screens/home.js";

/**
 * `name` is the address below /app/, the icon, the words' file and, as `nav.{name}`, the label. `isFor(me)`: whose screen it is. `isAside`:
 * not among the tabs of a phone, which have room for five. Without an icon: among none. `load` brings the screen when it is wanted: opening the console stays light.
 */
export const SCREENS = [
  { name: "", icon: "home", show: Home },
  { name: "setup", icon: "setup", load: async () => (await import("./screens/setup.js")).Setup, isAside: true },
  { name: "spreadsheet", icon: "spreadsheet", load: async () => (await import("./screens/spreadsheet.js")).Spreadsheet, isFor: (me) => me.plan === "pro" },
  { name: "webhook", icon: "webhook", load: async () => (await import("./screens/webhook.js")).Webhook, isFor: (me) => me.plan === "starter" },
  { name: "team", icon: "team", load: async () => (await import("./screens/team.js")).Team },
  { name: "activity", icon: "activity", load: async () => (await import("./screens/activity.js")).Activity },
  { name: "settings", icon: "settings", load: async () => (await import("./screens/settings.js")).Settings },
  { name: "clubs", load: async () => (await import("./screens/clubs.js")).Clubs },
];

export const labelOf = ({ name }) => `nav.${name || "home"}`;

/** Brings a screen and its words. */
export async function arrive(screen) {
  const [show] = await Promise.all([screen.load(), learn(screen.name)]);
  screen.show = show;
}
