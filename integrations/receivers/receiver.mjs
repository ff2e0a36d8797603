// A receiver of Tenantry's webhooks for Node 20 or later, without a dependency. It checks the signature (Standard Webhooks), answers the
// ping and handles each event once. Copy it, and write your own `handle`.
//
//   WEBHOOK_SECRET='…' node receiver.mjs
//
// HOST and PORT say where it listens (127.0.0.1, 8080): put a server with TLS before it. SEEN is the folder in which it remembers ids.
// An event may be delivered again for as long as Tenantry keeps it, a month. Older files may be deleted.
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

const MAX_BYTES = 1_000_000;

/** What you do with an event. If this throws, the event comes again. */
async function handle(event) {
  console.log(JSON.stringify(event));
}

// README begins
/** The key in a secret: `whsec_` and base64, padded or not, or else the text itself. */
export function keyOf(secret) {
  return /^whsec_[A-Za-z0-9+/]+={0,2}$/.test(secret) ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret);
}

/** The event in `body`, which are the bytes as they came. Throws unless one signature is right, and the message is fresh. */
export function verify(secret, headers, body, now = Date.now() / 1000) {
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures = "" } = headers;
  const right = createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.`).update(body).digest();
  const given = signatures.split(" ").map((one) => Buffer.from(one.startsWith("v1,") ? one.slice(3) : "", "base64"));
  if (!given.some((one) => one.length === right.length && timingSafeEqual(one, right))) throw new Error("wrong signature");
  if (!(Math.abs(now - Number(timestamp)) <= 300)) throw new Error("too old");
  return JSON.parse(body);
}
// README ends

/** Remembers ids, each as a file: its name can be taken once, by whichever process. */
function memory(folder) {
  mkdirSync(folder, { recursive: true });
  const file = (id) => join(folder, createHash("sha256").update(id).digest("hex"));
  return {
    /** Whether the id is new. */
    add(id) {
      try {
        writeFileSync(file(id), "", { flag: "wx" });
        return true;
      } catch (error) {
        if (error.code === "EEXIST") return false;
        throw error;
      }
    },
    remove: (id) => rmSync(file(id), { force: true }),
  };
}

/** The status and the text to answer. */
async function receive(secret, headers, body, seen) {
  let event;
  try {
    event = verify(secret, headers, body);
  } catch (error) {
    return [401, error.message];
  }
  if (event.type === "webhook.ping") return [200, "pong"];
  const id = headers["webhook-id"];
  if (!seen.add(id)) return [200, "seen before"];
  try {
    await handle(event);
    return [200, "handled"];
  } catch (error) {
    seen.remove(id);
    console.error(error);
    return [500, "send it again"];
  }
}

/** The bytes of a request's body, or null if there are too many. */
async function bytesOf(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function serve({ WEBHOOK_SECRET: secret = "", HOST: host = "127.0.0.1", PORT: port = "8080", SEEN: folder = "seen" }) {
  if (keyOf(secret).length < 16) {
    console.error("WEBHOOK_SECRET is not set, or too short to be one.");
    process.exit(1);
  }
  const seen = memory(folder);
  const answer = async (request) => {
    if (request.method !== "POST") return [405, "POST only"];
    const body = await bytesOf(request);
    return body === null ? [413, "too large"] : receive(secret, request.headers, body, seen);
  };
  const server = createServer(async (request, response) => {
    const [status, text] = await answer(request).catch((error) => {
      console.error(error);
      return [500, "send it again"];
    });
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text);
  });
  server.listen(Number(port), host, () => console.log(`listening on http://${host}:${server.address().port}`));
}

if (import.meta.filename === process.argv[1]) serve(process.env);
