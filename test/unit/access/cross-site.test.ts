import { afterAll, beforeAll, expect, it } from "vitest";
import type { IssuedCertificate } from "../../../src/daemon/pki.ts";
import { TestTcpApi } from "../../support/tcp-api.ts";

let bed: TestTcpApi;
let certificate: IssuedCertificate;

beforeAll(async () => {
  bed = await TestTcpApi.start();
  certificate = await bed.issueClient("ansible");
});
afterAll(() => bed[Symbol.asyncDispose]());

const own = () => `127.0.0.1:${bed.api.port}`;
const stop = { path: "/v1/guests/web1/stop", method: "POST" };
const health = { path: "/healthz", method: "GET" };

it.each([
  [stop, {}, 200],
  [stop, { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" }, 200],
  [stop, { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, 400],
  [stop, { "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" }, 400],
  [stop, { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, 400],
  [stop, { origin: "https://evil.example.com" }, 400],
  [stop, { origin: "null" }, 400],
  [health, { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }, 400],
  [health, { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, 200],
])("%j of a browser with a client certificate and %j: %i", async (question, headers, status) => {
  const answer = await bed.ask({ ...question, certificate, headers });
  expect(answer.status).toBe(status);
});

it("a page of our own asks as it likes", async () => {
  const headers = { origin: `https://${own()}`, "sec-fetch-site": "same-origin" };
  expect((await bed.ask({ ...stop, certificate, headers })).status).toBe(200);
});
