#!/usr/bin/env node
// Empties a host: on SIGUSR1 it moves the guests that run there away and stays, on SIGTERM it ends after that.
// usage: empty-host.mjs HOST…    where guests may go, in turn; a guest that is away from its home goes home
// It asks the daemon of this machine, or the one that SOJOURN_HOST and its companions name (role operate).
import { randomUUID } from "node:crypto";
import { createClient } from "sojourn/client";

const hosts = process.argv.slice(2);
if (hosts.length === 0) throw new Error("usage: empty-host.mjs HOST…");
const client = createClient();
let emptying = null;

for (const signal of ["SIGUSR1", "SIGTERM"]) {
  process.on(signal, async () => {
    emptying ??= empty().finally(() => (emptying = null));
    const left = await emptying.catch((error) => [error.message]);
    console.log(left.length === 0 ? "empty" : `not empty: ${left.join(", ")}`);
    if (signal === "SIGTERM") process.exit(left.length === 0 ? 0 : 1);
  });
}
setInterval(() => {}, 3_600_000);
console.log("ready");

/** Names of the guests that are still there. One moves at a time: two would share the link and the processors. */
async function empty() {
  const { host: here } = await client.health();
  const left = [];
  for (const guest of await client.listGuests()) {
    if (guest.host === here && !(await moveAway(guest, here, left.length))) left.push(guest.name);
  }
  return left;
}

async function moveAway({ name, home, migration }, here, turn) {
  if (migration !== null && (await outcomeOf(migration)) === "completed") return true;
  const others = hosts.filter((host) => host !== here);
  const inTurn = others.map((_, index) => others[(index + turn) % others.length]);
  for (const to of home === here ? inTurn : [home]) {
    try {
      const { id } = await begin({ guest: name, to });
      const outcome = await outcomeOf(id);
      console.log(`${name} to ${to}: ${outcome}`);
      if (outcome === "completed") return true;
      if (outcome === "in-doubt") return false; // A person decides where it runs.
    } catch (error) {
      console.log(`${name} to ${to}: ${error.code}: ${error.message}`);
    }
  }
  return false;
}

/** Asks again when the answer is lost: with one key it begins once. */
async function begin(request, idempotencyKey = randomUUID(), triesLeft = 10) {
  return client.startMigration(request, { idempotencyKey }).catch(async (error) => {
    if (!error.retryable || triesLeft === 0) throw error;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    return begin(request, idempotencyKey, triesLeft - 1);
  });
}

async function outcomeOf(id) {
  // Ends with the migration; lost connections are bridged.
  for await (const _ of client.migrationEvents(id, AbortSignal.timeout(3_600_000)));
  return (await client.getMigration(id)).state;
}
