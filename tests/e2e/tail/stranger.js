// Logs and fails as no line of ours does: a library's text, several arguments, an object without a word, an exception.
export default {
  fetch(request, _, context) {
    console.log("a library's own words");
    console.warn("two", { things: [1, 2] });
    console.log({ level: "info", hello: "no word of ours" });
    console.error("\u001b[2Jclears the screen\nand forges a line");
    // Not thrown here: `wrangler dev` would catch that and answer for us.
    if (new URL(request.url).pathname === "/throw") context.waitUntil(Promise.reject(new TypeError("nobody caught this")));
    return new Response("logged");
  },
};
