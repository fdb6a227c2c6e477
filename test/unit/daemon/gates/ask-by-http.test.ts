import { createHmac } from "node:crypto";
import type { ServerResponse } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { askByHttp } from "../../../../src/daemon/gates/ask-by-http.ts";
import { HostGates } from "../../../../src/daemon/gates/host-gates.ts";
import { questionFor } from "../../../../src/daemon/gates/question.ts";
import { HookSender } from "../../../../src/daemon/hooks/send.ts";
import { TargetPolicy } from "../../../../src/daemon/hooks/targets.ts";
import type { GateNote } from "../../../../src/migrator/gates.ts";
import { type Receiver, startReceiver } from "../hooks/receiver.ts";
import { gateOf, question } from "./support.ts";

const key = Buffer.from("0123456789abcdef0123456789abcdef");
const sender = new HookSender({ policy: new TargetPolicy(["127.0.0.0/8"]) });
const never = new AbortController().signal;
let stack = new AsyncDisposableStack();

afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

type Answer = (response: ServerResponse, index: number) => void;

async function receiverThat(answer: Answer): Promise<Receiver> {
  return stack.use(
    await startReceiver({ answer: (_, response, index) => answer(response, index) }),
  );
}

/** A real gate behind `url`. */
function gateAt(url: string, deadlineMs = 10_000) {
  return gateOf([], {
    deadlineMs,
    ask: (asked, timeoutMs, signal) => askByHttp(sender, { url, key }, asked, timeoutMs, signal),
  });
}

/** Asks a gate behind `url` at one point; the last thing that is told of it. */
async function outcomeOf(url: string, deadlineMs?: number): Promise<GateNote | undefined> {
  const told: GateNote[] = [];
  const gates = new HostGates([gateAt(url, deadlineMs)]);
  await gates.ask(question, never, (note) => told.push(note)).catch(() => {});
  return told.at(-1);
}

const byDefault = (reason: string | RegExp) => ({
  decision: "deny",
  answered: false,
  reason: expect.stringMatching(reason),
});

describe("a gate behind a URL", () => {
  test("is asked with one signed POST, and its answer counts", async () => {
    const receiver = await receiverThat((response) => response.end('{"decision":"allow"}'));
    expect(await outcomeOf(receiver.url)).toMatchObject({ decision: "allow", answered: true });
    const [{ headers, body } = { headers: {}, body: "" }] = receiver.received;
    const { "webhook-id": id, "webhook-timestamp": timestamp } = headers as Record<string, string>;
    expect(id).toBe("m1.armed.board.1");
    const signed = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
    expect(headers).toMatchObject({ "webhook-signature": `v1,${signed}` });
    expect(JSON.parse(body)).toMatchObject({ id, gate: "board", point: "armed" });
  });

  test("that is slow is not waited for beyond its deadline", async () => {
    const receiver = await receiverThat(() => {});
    expect(await outcomeOf(receiver.url, 300)).toMatchObject(byDefault(/within 300 ms/));
    const drip = await receiverThat((response) => response.writeHead(200).write('{"decision"'));
    expect(await outcomeOf(drip.url, 300)).toMatchObject(byDefault(/within 300 ms/));
  });

  test.each<[string, Answer, RegExp]>([
    ["garbage", (response) => response.end("<html>sure</html>"), /not JSON/],
    ["nothing", (response) => response.writeHead(204).end(), /empty/],
    [
      "half an answer",
      (response) => response.write('{"decision":"allow"}', () => response.destroy()),
      /broke off|cannot be reached/,
    ],
    ["10 MB", (response) => response.end(`{"decision":"allow"${" ".repeat(10e6)}}`), /too long/],
    [
      "a redirect",
      (response) => response.writeHead(307, { location: "/" }).end('{"decision":"allow"}'),
      /answered 307/,
    ],
    [
      "a refusal",
      (response) => response.writeHead(401).end('{"decision":"allow"}'),
      /answered 401/,
    ],
  ])("that answers %s has not answered, and is not asked again", async (_name, answer, reason) => {
    const receiver = await receiverThat(answer);
    expect(await outcomeOf(receiver.url)).toMatchObject(byDefault(reason));
    expect(receiver.received).toHaveLength(1);
  });

  test("that is not well is asked the same again until it is", async () => {
    const receiver = await receiverThat((response, index) => {
      if (index === 0) response.writeHead(503).end();
      else response.end('{"decision":"deny","reason":"not today"}');
    });
    expect(await outcomeOf(receiver.url)).toMatchObject({
      decision: "deny",
      answered: true,
      reason: "not today",
    });
    const ids = receiver.received.map(({ headers }) => headers["webhook-id"]);
    expect(ids).toEqual(["m1.armed.board.1", "m1.armed.board.1"]);
  });

  test("that is dead: its default after the deadline", async () => {
    const receiver = await startReceiver();
    const { url } = receiver;
    await receiver[Symbol.asyncDispose]();
    expect(await outcomeOf(url, 700)).toMatchObject(byDefault(/cannot be reached.*within 700 ms/));
  });

  test("at an address that is not allowed is never asked", async () => {
    const receiver = await receiverThat((response) => response.end('{"decision":"allow"}'));
    const strict = new HookSender({ policy: new TargetPolicy() });
    const asked = questionFor(gateAt(receiver.url), question, 1, 0);
    const asking = askByHttp(strict, { url: receiver.url, key }, asked, 1_000, never);
    await expect(asking).rejects.toMatchObject({ isPassing: false });
    expect(receiver.received).toEqual([]);
  });
});
