#!/usr/bin/env node
// A receiver for Prometheus Alertmanager that evacuates hosts: a firing alert with the label evacuate="true" moves all
// guests away from the host that its label instance names. Alertmanager repeats itself; each guest moves once an alert.
// usage: alertmanager-evacuate.mjs hosts.json [--port 9098]
// hosts.json: { "secret_file": …, "ca_file": …, "token_file": …, "hosts": { "host-a": { "url": "https://…:7708", "to":
// ["host-b"] } } }. secret_file holds what Alertmanager sends as its bearer token, token_file a token of role operate.
import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { createClient } from "sojourn/client";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { port: { type: "string", default: "9098" } },
});
const config = JSON.parse(readFileSync(positionals[0], "utf8"));
const textOf = (path) => readFileSync(path, "utf8").trim();
const digest = (text) => createHash("sha256").update(text).digest();

const server = createServer(async (request, response) => {
  const given = (request.headers.authorization ?? "").replace(/^Bearer /, "");
  if (!timingSafeEqual(digest(given), digest(textOf(config.secret_file)))) {
    return response.writeHead(401).end();
  }
  try {
    const { alerts = [] } = JSON.parse(await bodyOf(request));
    // The answer comes when nothing is under way any more, whatever becomes of a host.
    const moves = (await Promise.all(alerts.filter(isCallToLeave).map(evacuateOrTell))).flat();
    for (const { told } of moves) console.log(told);
    // Alertmanager tries again after a 5xx, and after nothing else.
    response.writeHead(moves.some(({ isDue }) => isDue) ? 503 : 200).end();
  } catch (error) {
    console.log(`not done: ${error.message}`);
    response.writeHead(error instanceof SyntaxError ? 400 : 503).end();
  }
});
server.listen(Number(values.port), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/`);
});

function isCallToLeave({ status, labels }) {
  return status === "firing" && labels.evacuate === "true" && labels.instance in config.hosts;
}

/** A host that does not answer is asked again with the alert's repetition. */
function evacuateOrTell(alert) {
  return evacuate(alert).catch((error) => [
    { told: `${alert.labels.instance} not emptied: ${error.message}`, isDue: true },
  ]);
}

/** Begins the moves; who follows them is told by webhooks, metrics or `sojourn status`. */
async function evacuate({ labels: { instance: here }, fingerprint, startsAt }) {
  const { url, to } = config.hosts[here];
  const tls = { ca: readFileSync(config.ca_file) };
  const client = createClient({ url, tls, token: () => textOf(config.token_file) });
  const guests = (await client.listGuests()).filter(({ host }) => host === here);
  const moves = guests.map(async ({ name, home }) => {
    // By its name, so that a repetition asks for the same.
    const destination = home === here ? to[digest(name)[0] % to.length] : home;
    const idempotencyKey = digest(`${fingerprint} ${startsAt} ${name}`).toString("hex");
    return client
      .startMigration({ guest: name, to: destination }, { idempotencyKey })
      .then(({ id }) => ({ told: `${name} to ${destination}: ${id}`, isDue: false }))
      .catch((error) => ({
        told: `${name} to ${destination}: ${error.code}`,
        isDue: error.retryable === true,
      }));
  });
  return Promise.all(moves);
}

async function bodyOf(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > 1_048_576) throw new SyntaxError("the body is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
