import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type OpenApiDocument, operationsOf } from "../../../src/daemon/api/openapi/document.ts";
import { openApiText } from "../../../src/daemon/api/openapi/generate.ts";
import { apiWorld, knownValues } from "../../support/api-world.ts";
import { type LocalDaemon, startLocalDaemon } from "../../support/local-daemon.ts";
import { type Answer, Conformance } from "../../support/openapi/conformance.ts";
import { type GeneratedRequest, requestsTo } from "../../support/openapi/requests.ts";

const numRuns = Number(process.env.SOJOURN_API_REQUESTS ?? 10_000);

/** What is documented in words only. */
const inWords = new Set(["SOJ_BAD_IDEMPOTENCY_KEY", "SOJ_BAD_CURSOR"]);
const inWordsOnly =
  /delay_ms belongs|go with renumber|goes with strategy|not a moment|not a URL|is taken/i;

let document: OpenApiDocument;
let daemon: LocalDaemon;
const agent = new Agent({ keepAlive: true, maxSockets: 4 });

beforeAll(async () => {
  document = JSON.parse(await openApiText());
  const world = apiWorld();
  daemon = await startLocalDaemon(() => world);
});
afterAll(async () => {
  agent.destroy();
  await daemon[Symbol.asyncDispose]();
});

test(`${numRuns} requests of all kinds: none is answered with a 500, and every answer is documented`, async () => {
  const conformance = new Conformance(document);
  const operations = operationsOf(document);
  const seen = new Map<string, number>();
  const property = fc.asyncProperty(requestsTo(document, knownValues), async (generated) => {
    const { operationId } = generated;
    const operation = operations.find((one) => one.operationId === operationId) ?? null;
    const answer = await send(generated);
    const which = `${operationId ?? "none"} ${answer.status}`;
    seen.set(which, (seen.get(which) ?? 0) + 1);
    expect(conformance.faultsOf(operation, answer)).toEqual([]);
    if (operation === null) return;
    const code = answer.status < 400 ? null : String(JSON.parse(answer.text).code);
    if (generated.isValid && code === "SOJ_USAGE") expect(answer.text).toMatch(inWordsOnly);
    if (generated.isValid && !inWords.has(code ?? ""))
      expect(answer.status).not.toBeOneOf([413, 415]);
    if (answer.status < 300 && generated.body !== null && operation.requestBody !== undefined) {
      // A byte order mark may be passed over (RFC 8259, 8.1).
      const body = JSON.parse(generated.body.replace(/^\uFEFF/, ""));
      expect(conformance.isBodyValid(operation, body)).toBe(true);
    }
  });
  await fc.assert(property, { numRuns, interruptAfterTimeLimit: 110_000 });
  for (const methods of Object.values(document.paths)) {
    for (const { operationId, responses } of Object.values(methods)) {
      const reached = [...seen.keys()].some((which) => which.startsWith(`${operationId} 2`));
      expect(reached, `${operationId} ${Object.keys(responses)}`).toBe(true);
    }
  }
  if (process.env.SOJOURN_API_REQUESTS) console.table(Object.fromEntries([...seen].toSorted()));
}, 120_000);

async function send({ method, path, headers, body }: GeneratedRequest): Promise<Answer> {
  const length = body === null ? {} : { "content-length": Buffer.byteLength(body) };
  const options = { socketPath: daemon.socketPath, agent, method, path };
  const sent = request({ ...options, headers: { ...headers, ...length } });
  sent.end(body ?? undefined);
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  const chunks = await Array.fromAsync(response as AsyncIterable<Buffer>);
  return {
    status: response.statusCode ?? 0,
    type: response.headers["content-type"] ?? "",
    allow: response.headers.allow,
    text: Buffer.concat(chunks).toString(),
  };
}
