// A reply is a plain value, {status, headers, body}. It is made and recorded inside the object, and turned into a Response only in the
// Worker.

export const json = (status, value, headers = {}) => ({
  status,
  headers: { "content-type": "application/json; charset=utf-8", ...headers },
  body: JSON.stringify(value),
});

export const text = (status, body, headers = {}) => ({
  status,
  headers: { "content-type": "text/plain; charset=utf-8", ...headers },
  body,
});

export const html = (status, body, headers = {}) => ({
  status,
  headers: { "content-type": "text/html; charset=utf-8", ...headers },
  body,
});

// These statuses may not carry a body; the Response constructor refuses one.
const WITHOUT_BODY = new Set([204, 205, 304]);

export function toResponse({ status, headers, body }) {
  return new Response(WITHOUT_BODY.has(status) ? null : body, { status, headers });
}

export function parseJson(body) {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

export const isText = (value) => typeof value === "string" && value !== "";
