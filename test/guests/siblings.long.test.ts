import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { TestLab } from "../support/lab.ts";
import { type EchoSession, moreEchoes, openSession } from "./support/echo-session.ts";

/** web1, web2 and web3, of which the last stays at home. */
const octets = [10, 11, 12] as const;
const addressOf = (octet: number) => `10.1.0.${octet}`;
const pairs = octets.flatMap((from) =>
  octets.filter((to) => to !== from).map((to) => ({ from, to, name: `${from} to ${to}` })),
);

let lab: TestLab;
let overlay: string;

beforeAll(async () => {
  overlay = talkingGuests();
  const options = ["--hosts", "3", "--guests", "3", "--guest-overlay", overlay];
  lab = await TestLab.up(`siblings${process.pid}`, options);
});

afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  rmSync(overlay, { recursive: true, force: true });
});

test("nothing of what three siblings say to one another is lost while two of them move, to one host, to two, and home", async () => {
  await using stack = new AsyncDisposableStack();
  const sessions: EchoSession[] = [];
  for (const { from, to } of pairs) {
    sessions.push(stack.use(await openSession(lab, addressOf(from), `80${to}`)));
  }
  const before = await answered();
  for (const [guest, from, to] of [
    ["web1", "host-a", "host-b"],
    ["web2", "host-a", "host-b"],
    ["web1", "host-b", "host-c"],
    ["web2", "host-b", "host-c"],
    ["web1", "host-c", "host-a"],
  ] as const) {
    const { exitCode, report } = await lab.migrate(from, guest, to, ["--no-probe"]);
    expect([exitCode, report?.outcome], `${guest} to ${to}`).toEqual([0, "completed"]);
    await Promise.all(sessions.map((session) => moreEchoes(session, 20)));
  }
  const after = await answered();
  for (const [index, session] of sessions.entries()) {
    const { sent, ...result } = await session.finish();
    const what = pairs[index]?.name;
    expect(result, what).toEqual({ echoed: sent, wrong: null, broken: null, ended: true });
  }
  for (const { name } of pairs) {
    const [first = 0, last = 0] = [before.get(name)?.at(-1), after.get(name)?.at(-1)];
    expect(last - first, name).toBeGreaterThan(100);
    const numbers = new Set(after.get(name));
    const lost = Array.from({ length: last - first }, (_, index) => first + index).filter(
      (number) => !numbers.has(number),
    );
    expect(lost, name).toEqual([]);
  }
});

/** The numbers of the echo requests that were answered so far, by who asks whom. */
async function answered(): Promise<Map<string, number[]>> {
  const lists = pairs.map(async ({ from, to, name }) => {
    const text = await lab.run("client", ["busybox", "nc", addressOf(from), `90${to}`]);
    return [name, [...text.matchAll(/ seq=(\d+) /g)].map((match) => Number(match[1]))] as const;
  });
  return new Map(await Promise.all(lists));
}

/**
 * Overlay of guests that ask one another for an echo all the time. Whoever calls port 80XX of one speaks with the echo
 * service of the one whose address ends in XX; 90XX tells which of its echo requests to that one were answered.
 */
function talkingGuests(): string {
  const folder = mkdtempSync(join(tmpdir(), "sojourn-siblings-"));
  mkdirSync(join(folder, "etc"));
  const lines = octets.flatMap((octet) => [
    `ping -i 0.05 ${addressOf(octet)} >/tmp/echo-${octet} 2>&1 &`,
    `nc -ll -p 80${octet} -e nc ${addressOf(octet)} 7 >/dev/null 2>&1 &`,
    `nc -ll -p 90${octet} -e cat /tmp/echo-${octet} >/dev/null 2>&1 &`,
  ]);
  const script = ["#!/bin/sh", ...lines, "wait"].join("\n");
  writeFileSync(join(folder, "etc/rc.local"), `${script}\n`, { mode: 0o755 });
  return folder;
}
