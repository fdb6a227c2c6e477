#!/usr/bin/env node
// An example of a gate (docs/gates.md): lets guests move in a window of hours, and holds them while a file exists.
// usage: change-window.mjs SECRET_FILE [--port 8098] [--from 22] [--until 6] [--hold FILE]   (hours in UTC)
import { createHmac, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: "string", default: "8098" },
    from: { type: "string", default: "22" },
    until: { type: "string", default: "6" },
    hold: { type: "string", default: "" },
  },
});
const secret = readFileSync(positionals[0], "utf8").trim();
const isEncoded = secret.startsWith("whsec_");
const key = isEncoded ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret);

const server = createServer(async (request, response) => {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > 65_536) return response.writeHead(413).end();
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks).toString();
  if (!isSigned(request.headers, body)) return response.writeHead(401).end();
  const answer = decide(JSON.parse(body));
  console.log(body, JSON.stringify(answer));
  response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
});
server.listen(Number(values.port), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/`);
});

function decide({ migration, point }) {
  if (values.hold !== "" && existsSync(values.hold)) {
    return { decision: "delay", delay_ms: 2000, reason: `${values.hold} exists` };
  }
  if (isOpen(new Date().getUTCHours())) return { decision: "allow" };
  const reason = `${migration.guest} moves from ${values.from} to ${values.until} o'clock UTC, at ${point} too`;
  return { decision: "deny", reason };
}

function isOpen(hour) {
  const [from, until] = [Number(values.from), Number(values.until)];
  return from <= until ? hour >= from && hour < until : hour >= from || hour < until;
}

/** Standard Webhooks, symmetric signatures: HMAC-SHA256 of id.timestamp.body, at most five minutes old. */
function isSigned(headers, body) {
  const { "webhook-id": id, "webhook-timestamp": time, "webhook-signature": given = "" } = headers;
  if (!(Math.abs(Date.now() / 1000 - Number(time)) < 300)) return false;
  const expected = createHmac("sha256", key).update(`${id}.${time}.${body}`).digest();
  return given.split(" ").some((each) => {
    const bytes = Buffer.from(each.replace(/^v1,/, ""), "base64");
    return bytes.length === expected.length && timingSafeEqual(bytes, expected);
  });
}
