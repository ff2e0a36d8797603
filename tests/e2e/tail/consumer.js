// Receives what the runtime hands a tail Worker, which is what `wrangler tail --format json` prints, and gives it out again.
const events = [];

export default {
  tail(received) {
    events.push(...received.map((event) => JSON.parse(JSON.stringify(event))));
  },
  fetch() {
    return Response.json(events);
  },
};
