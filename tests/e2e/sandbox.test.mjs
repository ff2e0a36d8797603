// The upstream sandbox by itself, in the real runtime: each upstream's answers and refusals, each fault, and the counts. Nothing is
// forgotten when the object goes away. The product's tests lean on all of it. One runtime serves all the parts.

import "./sandbox/make-and-resend.mjs";
import "./sandbox/google.mjs";
import "./sandbox/cloudflare.mjs";
import "./sandbox/platform.mjs";
import "./sandbox/sdks.mjs";
import "./sandbox/faults.mjs";
import "./sandbox/itself.mjs";
