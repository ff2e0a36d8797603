// The JavaScript side of the boundary. Each call from WebAssembly costs about as much as a route does, so what a request needs
// crosses as one text each way, and what the platform wants as objects is made here.

/** The headers that somebody reads, of every request and by its method. Each look costs a crossing. */
const READ = ["accept", "authorization", "cookie", "origin", "cf-connecting-ip"];
const READ_BY_METHOD = { GET: ["if-none-match"], HEAD: ["if-none-match"], OPTIONS: ["access-control-request-method"] };
const READ_OTHERWISE = ["accept-language", "content-type", "content-length", "idempotency-key", "sec-fetch-site"];

/** A request up to its body, in lines: the method, the URL, whether there is a body, and `name:value` for each header. */
export function head(request) {
  const { method, headers } = request;
  let text = `${method}\n${request.url}\n${request.body !== null}`;
  const read = (name) => {
    const value = headers.get(name);
    if (value !== null) text += `\n${name}:${value}`;
    return value;
  };
  const [accept, , cookie] = READ.map(read);
  const safe = method === "GET" || method === "HEAD";
  if (safe && accept?.includes("html")) read("accept-language");
  if (safe && cookie !== null) read("sec-fetch-site");
  if (!safe && request.url.includes("/auth/")) read("user-agent");
  for (const name of READ_BY_METHOD[method] ?? READ_OTHERWISE) read(name);
  if (read("traceparent") !== null) read("tracestate");
  return text;
}

/** Each `name:value` of some lines. */
function* each(lines) {
  for (const line of lines === "" ? [] : lines.split("\n")) {
    const end = line.indexOf(":");
    yield [line.slice(0, end), line.slice(end + 1)];
  }
}

/** Headers that many answers have in common. The platform copies such an object many times faster than it reads a list. */
const common = new Map();

function headersOf(shared) {
  let headers = common.get(shared);
  if (headers === undefined) {
    // There are a few; whatever makes them many does not fill the memory.
    if (common.size >= 64) common.clear();
    headers = new Headers([...each(shared)]);
    common.set(shared, headers);
  }
  return headers;
}

/** An answer. `shared` and `own` have a line `name:value` for each header; `body` is a view of memory that is about to be used again. */
export function respond(status, shared, own, body) {
  const response = new Response(body.length > 0 ? body.slice() : null, { status, headers: headersOf(shared) });
  for (const [name, value] of each(own)) response.headers.append(name, value);
  return response;
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
