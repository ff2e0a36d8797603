// Runs the tests' own statements on the product's database. A separate Worker, because a binding that Node reaches into blocks Node for
// each call. The runtime blocks when nobody reads its log. Under load, one would wait for the other for ever.
export default {
  async fetch(request, env) {
    const { statement, params } = await request.json();
    try {
      const { results } = await env.DB.prepare(statement)
        .bind(...params)
        .all();
      return Response.json({ results });
    } catch (error) {
      return Response.json({ error: error.message });
    }
  },
};
