import { setImmediate as nextTurn } from "node:timers/promises";

/** Of small steps, which take some microseconds each. */
const stepsPerTurn = 250;

/** Does `work` for each of very many items, in several turns of the event loop, so that nobody else waits for long. */
export async function inTurns<Item>(
  items: Iterable<Item>,
  work: (item: Item) => void,
): Promise<void> {
  let steps = 0;
  for (const item of items) {
    work(item);
    steps += 1;
    if (steps % stepsPerTurn === 0) await nextTurn();
  }
}
