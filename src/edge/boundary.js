// The JavaScript side of the boundary. Each call from WebAssembly costs about as much as a route does, so what a request needs
// crosses as one text each way, and what the platform wants as objects is made here.

/** The headers that somebody reads. */
const READ = [
  "accept",
  "accept-language",
  "authorization",
  "content-type",
  "content-length",
  "host",
  "idempotency-key",
  "if-none-match",
  "origin",
  "sec-fetch-site",
  "access-control-request-method",
  "traceparent",
  "tracestate",
  "cf-connecting-ip",
];

/** A request up to its body, in lines: the method, the URL, whether there is a body, and `name:value` for each header. */
export function head(request) {
  let text = `${request.method}\n${request.url}\n${request.body !== null}`;
  const { headers } = request;
  for (const name of READ) {
    const value = headers.get(name);
    if (value !== null) text += `\n${name}:${value}`;
  }
  return text;
}

/** An answer. `head` has a line `name:value` for each header; `body` is a view of memory that is about to be used again. */
export function respond(status, head, body) {
  const headers = head.split("\n").map((line) => {
    const end = line.indexOf(":");
    return [line.slice(0, end), line.slice(end + 1)];
  });
  return new Response(body.length > 0 ? body.slice() : null, { status, headers });
}

/** One line of the log: an object, so that `wrangler tail` shows it with its fields. */
export function log(level, line) {
  console[level](JSON.parse(line));
}

/** Runs statements, `[sql, params]` each, as one batch: its results as JSON, or undefined if they did not come within `ms`. */
export async function batch(database, statements, ms) {
  const prepared = JSON.parse(statements).map(([sql, params]) =>
    params.length > 0 ? database.prepare(sql).bind(...params) : database.prepare(sql),
  );
  let timer;
  const late = new Promise((done) => {
    timer = setTimeout(done, ms);
  });
  try {
    const results = await Promise.race([database.batch(prepared), late]);
    return results && JSON.stringify(results);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether a limiter allows this key once more. */
export async function allows(limiter, key) {
  return (await limiter.limit({ key })).success;
}
