import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GateSection, gatesSection } from "../../../../src/daemon/gates/config.ts";
import { openGates } from "../../../../src/daemon/gates/open-gates.ts";
import { TargetPolicy } from "../../../../src/daemon/hooks/targets.ts";
import type { GateNote } from "../../../../src/migrator/gates.ts";
import { question } from "./support.ts";

const policy = new TargetPolicy(["127.0.0.0/8"]);
let folder: string;
let secret: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "sojourn-gates-"));
  secret = join(folder, "secret");
  writeFileSync(secret, "a secret of enough bytes\n", { mode: 0o600 });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function sections(...given: object[]): GateSection[] {
  return gatesSection.parse(given.map((each) => ({ name: "board", points: ["armed"], ...each })));
}

const faults = (...given: object[]) => {
  const checked = gatesSection.safeParse(
    given.map((each) => ({ name: "board", points: ["armed"], ...each })),
  );
  return checked.error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) ?? [];
};

describe("the configuration of gates", () => {
  test("what is left out is filled in, on the safe side", () => {
    expect(sections({ exec: "/etc/sojourn/gates.d/board" })).toEqual([
      {
        ...{ name: "board", points: ["armed"], exec: "/etc/sojourn/gates.d/board" },
        ...{ deadline_ms: 30_000, on_no_answer: "deny", guests: ["*"] },
      },
    ]);
  });

  test.each<[object[], RegExp]>([
    [[{}], /0.url: either url or exec/],
    [[{ url: "https://gate.example", exec: "/x", secret_file: "/y" }], /either url or exec/],
    [[{ url: "https://gate.example" }], /0.secret_file: missing/],
    [[{ exec: "/x", ca: "/y" }], /0.ca: only beside url/],
    [[{ exec: "x" }], /0.exec: not an absolute path/],
    [[{ exec: "/x", points: [] }], /0.points/],
    [[{ exec: "/x", points: ["switchover"] }], /0.points/],
    [[{ exec: "/x", deadline_ms: 10 }], /0.deadline_ms/],
    [[{ exec: "/x", deadline_ms: 1e9 }], /0.deadline_ms/],
    [[{ exec: "/x", guests: ["a*b"] }], /0.guests/],
    [[{ exec: "/x", retries: 3 }], /retries/],
    [[{ exec: "/x" }, { exec: "/y" }], /1.name: is taken/],
  ])("refused: %j", (given, fault) => {
    expect(faults(...given).join("\n")).toMatch(fault);
  });

  test("a gate that could never be asked is a fault at the start", async () => {
    const gate = (change: object) => ({
      ...{ url: "https://127.0.0.1/", secret_file: secret },
      ...change,
    });
    const opening = (change: object, allowed = policy) =>
      openGates(sections(gate(change)), allowed).then(
        () => "opened",
        (error: unknown) => (error as Error).message,
      );
    expect(await opening({})).toBe("opened");
    expect(await opening({ secret_file: join(folder, "none") })).toMatch(/board: ENOENT/);
    expect(await opening({ ca: join(folder, "none") })).toMatch(/board: ENOENT/);
    expect(await opening({}, new TargetPolicy())).toMatch(/nothing is sent to/);
    const open = join(folder, "open");
    writeFileSync(open, "a secret of enough bytes\n");
    chmodSync(open, 0o640);
    expect(await opening({ secret_file: open })).toMatch(/can be read by others/);
    const short = join(folder, "short");
    writeFileSync(short, "short", { mode: 0o600 });
    const message = await opening({ secret_file: short });
    expect(message).toMatch(/shorter than 16 bytes/);
    expect(message).not.toContain("short\n");
  });
});

describe("a program as a gate", () => {
  async function outcomeOf(script: string, deadline_ms = 5_000): Promise<GateNote | undefined> {
    const exec = join(folder, "gate");
    writeFileSync(exec, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const gates = await openGates(sections({ exec, deadline_ms }), policy);
    const told: GateNote[] = [];
    const never = new AbortController().signal;
    await gates.ask(question, never, (note) => told.push(note)).catch(() => {});
    return told.at(-1);
  }

  test("reads the question and prints its answer", async () => {
    const script =
      'grep -q \'"point":"armed"\' && echo "{\\"decision\\":\\"deny\\",\\"reason\\":\\"$SOJOURN_GUEST to $SOJOURN_TO\\"}"';
    expect(await outcomeOf(script)).toMatchObject({
      ...{ decision: "deny", answered: true, reason: "web1 to host-b" },
    });
  });

  test.each([
    ["echo gone >&2; exit 3", /ended with 3: gone/],
    ["cat", /decision/],
    ["head -c 20000 /dev/zero | tr '\\0' x", /longer than 4096/],
    ["sleep 60", /within 300 ms/],
  ])("has not answered: %s", async (script, reason) => {
    const startedMs = performance.now();
    const deadlineMs = script.startsWith("sleep") ? 300 : 5_000;
    expect(await outcomeOf(script, deadlineMs)).toMatchObject({
      ...{ decision: "deny", answered: false, reason: expect.stringMatching(reason) },
    });
    expect(performance.now() - startedMs).toBeLessThan(4_000);
  });

  test("that others may change is not run", async () => {
    const exec = join(folder, "gate");
    writeFileSync(exec, "#!/bin/sh\n", { mode: 0o755 });
    chmodSync(exec, 0o777);
    const gates = await openGates(sections({ exec }), policy);
    const never = new AbortController().signal;
    await expect(gates.ask(question, never, () => {})).rejects.toThrow(/is not run: others/);
  });
});
