// Stands before the sandbox: what is for Apps Script goes to the test, everything else to the sandbox.
export default {
  async fetch(request, { SANDBOX, SCRIPT }) {
    const { hostname, pathname, search } = new URL(request.url);
    if (!/^script\.google(usercontent)?\.com$/.test(hostname)) return SANDBOX.fetch(request);
    const body = request.method === "POST" ? await request.text() : undefined;
    const answer = await fetch(`${SCRIPT}${pathname}${search}`, { method: request.method, body });
    const location = answer.headers.get("x-moved");
    if (location === null) return new Response(await answer.text(), { status: answer.status, headers: { "content-type": "application/json" } });
    return new Response(null, { status: 302, headers: { location } });
  },
};
