/** Runs `act` on each of `all`, `atOnce` at a time; answers what it answers, in their order. */
export async function few(all, atOnce, act) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < all.length) {
      const at = next++;
      results[at] = await act(all[at]);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}
