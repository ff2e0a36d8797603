// Stands before the sandbox: what is for Apps Script goes to the test, everything else to the sandbox.
export default {
  fetch(request, { SANDBOX, SCRIPT }) {
    const { hostname, pathname, search } = new URL(request.url);
    if (!/^script\.google(usercontent)?\.com$/.test(hostname)) return SANDBOX.fetch(request);
    return fetch(new Request(`${SCRIPT}${pathname}${search}`, request), { redirect: "manual" });
  },
};
