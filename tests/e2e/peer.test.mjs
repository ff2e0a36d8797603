// `npm run bench` compares the product with a Worker in JavaScript that runs the same SQL: one that asks for other parameters today ends it.
import { after, before, test } from "node:test";
import { checkAlike } from "../bench/alike.mjs";
import { prepareCases } from "../bench/cases.mjs";
import { startPeer, startProduct } from "../bench/runtime.mjs";

const workers = {};

before(async () => {
  workers.ours = await startProduct();
  workers.peer = await startPeer();
});
after(() => Promise.all(Object.values(workers).map(({ stop }) => stop())));

test("the bench's peer answers as the product does", async () => {
  await checkAlike(await prepareCases(workers), workers);
});
