import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type GateSection, gatesSection } from "../../../../src/daemon/gates/config.ts";
import { checkGate, openGates } from "../../../../src/daemon/gates/open-gates.ts";
import { TargetPolicy } from "../../../../src/daemon/hooks/targets.ts";
import type { GateNote } from "../../../../src/migrator/gates.ts";
import type { SojournError } from "../../../../src/platform/errors.ts";
import { createLogger } from "../../../../src/platform/log.ts";
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

/** Asks all gates of a configuration once; what was told. */
async function heardOf(given: readonly GateSection[]): Promise<GateNote[]> {
  const gates = openGates(given, { policy, logger: createLogger("silent") });
  const told: GateNote[] = [];
  const never = new AbortController().signal;
  await gates.ask(question, never, (note) => told.push(note)).catch(() => {});
  return told;
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

  test("a gate that cannot be asked is known at the start, and its default counts", async () => {
    const checked = (change: object, allowed = policy) => {
      const [section] = sections({ url: "https://127.0.0.1/", secret_file: secret, ...change });
      return checkGate(section as GateSection, allowed).then(
        () => "can be asked",
        ({ code, message }: SojournError) => `${code}: ${message}`,
      );
    };
    expect(await checked({})).toBe("can be asked");
    expect(await checked({ secret_file: join(folder, "none") })).toMatch(
      /^SOJ_GATE_INVALID.*ENOENT/,
    );
    expect(await checked({ ca: join(folder, "none") })).toMatch(/board: .*ENOENT/);
    expect(await checked({}, new TargetPolicy())).toMatch(/nothing is sent to/);
    const open = join(folder, "open");
    writeFileSync(open, "a secret of enough bytes\n");
    chmodSync(open, 0o640);
    expect(await checked({ secret_file: open })).toMatch(/others than its owner may use it/);
    const short = join(folder, "short");
    writeFileSync(short, "hunter2", { mode: 0o600 });
    expect(await checked({ secret_file: short })).toMatch(/shorter than 16 bytes/);
    expect(await checked({ secret_file: short })).not.toContain("hunter2");

    const url = "https://127.0.0.1/";
    const told = await heardOf(sections({ url, secret_file: short, on_no_answer: "allow" }));
    expect(told.at(-1)).toMatchObject({ decision: "allow", answered: false });
    expect(told.at(-1)?.reason).toMatch(/shorter than 16 bytes/);
  });
});

describe("a program as a gate", () => {
  async function outcomeOf(script: string, deadline_ms = 5_000): Promise<GateNote | undefined> {
    const exec = join(folder, "gate");
    writeFileSync(exec, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return (await heardOf(sections({ exec, deadline_ms }))).at(-1);
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
    const told = await heardOf(sections({ exec }));
    expect(told.at(-1)).toMatchObject({ decision: "deny", answered: false });
    expect(told.at(-1)?.reason).toMatch(/is not run: others/);
  });
});
