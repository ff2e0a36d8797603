// The shipped script behind HTTP, as Google serves a web app. Each request is run twice, and each answer is lost once.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

export async function serveScript(script) {
  const captured = [];
  const answers = [];
  const lost = new Set();
  const problems = [];

  const exec = (body, signature) => {
    const answer = script.receive(body, signature);
    const before = script.state.files.size;
    const again = script.receive(body, signature);
    // A repeat of a removal finds nothing left to remove.
    const known = ({ removed, ...rest }) => rest;
    assert.deepEqual(known(again), known(answer));
    assert.equal(script.state.files.size, before);
    captured.push({ body, signature, answer });
    return answer;
  };

  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://localhost");
    if (pathname === "/macros/echo") {
      return response.writeHead(200, { "content-type": "application/json" }).end(answers[Number(searchParams.get("user_content_key"))]);
    }
    try {
      const body = await text(request);
      const answer = exec(body, searchParams.get("signature"));
      const { action, idempotencyKey } = JSON.parse(body);
      const name = `${action} ${idempotencyKey}`;
      if (!lost.has(name)) {
        lost.add(name);
        return response.writeHead(502).end();
      }
      answers.push(JSON.stringify(answer));
      const location = `https://script.googleusercontent.com/macros/echo?user_content_key=${answers.length - 1}`;
      // The relay makes a 302 of it: what leaves the runtime in a test may follow no redirect.
      return response.writeHead(200, { "x-moved": location }).end();
    } catch (error) {
      problems.push(error);
      return response.writeHead(500).end();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    captured,
    problems,
    lost,
    close: () => new Promise((done) => server.close(done).closeAllConnections()),
  };
}
