import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AdoptionResult } from "../../src/client/index.ts";
import { installationRoot } from "../../src/lab/layout.ts";
import { kernelState, type TestLab } from "../support/lab.ts";
import { sharedLab } from "../support/shared-lab.ts";
import { moreEchoes, openSession } from "./support/echo-session.ts";

const address = "10.1.0.77";
const mac = "52:54:00:77:77:77";
const folder = "/run/byhand";

/** What somebody wrote who had never heard of Sojourn. */
const script = `#!/bin/sh -e
mkdir -p ${folder}
cd ${folder}
ip tuntap add dev tap77 mode tap
ip link set tap77 master guests0 up
exec qemu-system-x86_64 -M pc,accel=tcg -m 128 -display none -daemonize -pidfile byhand.pid \\
  -kernel ${join(installationRoot, "build/guest/vmlinuz")} \\
  -initrd ${join(installationRoot, "build/guest/initramfs.cpio.gz")} \\
  -append "console=ttyS0 panic=-1 sojourn.hostname=byhand sojourn.address=${address}/24 sojourn.gateway=10.1.0.1" \\
  -netdev tap,id=lan,ifname=tap77,script=no,downscript=no -device virtio-net-pci,netdev=lan,mac=${mac} \\
  -serial file:console.log -qmp unix:byhand.qmp,server,nowait
`;

describe("a QEMU that a shell script started", () => {
  let lab: TestLab;
  let before: Record<string, string>;

  beforeAll(async () => {
    lab = await sharedLab();
    await clean();
    await lab.run("host-a", ["sh", "-c", script]);
    const check = join(installationRoot, "src/lab/echo-check.ts");
    await lab.run("client", [process.execPath, check, address, "7", "60000"]);
    before = await kernelState(lab, "host-a");
  });

  afterAll(async () => {
    if (lab !== undefined) await clean();
  });

  test("is proposed as a guest, with nothing changed and its monitor free again", async () => {
    await using session = await openSession(lab, address);
    const proposal = await adopt(["--qmp", `${folder}/byhand.qmp`, "--dry-run"]);
    expect(failed(proposal)).toEqual([]);
    expect(proposal).toMatchObject({
      adopted: false,
      possible: true,
      tap: "tap77",
      bridge: "guests0",
    });
    expect(proposal.definition).toContain(`addresses = [ "${address}/24" ]`);
    expect(proposal.checks.map(({ host, subject }) => `${host} ${subject}`)).toEqual(
      expect.arrayContaining(["host-a machine", "host-b machine"]),
    );
    const again = await adopt(["--pid", String(await pid()), "--dry-run"]);
    expect(again.definition).toBe(proposal.definition);
    expect(await kernelState(lab, "host-a")).toEqual(before);
    const { sent, broken } = await session.finish();
    expect({ sent: sent > 20, broken }).toEqual({ sent: true, broken: null });
  });

  test("is adopted, and moves there and back with its sessions and packets", async () => {
    await using session = await openSession(lab, address);
    expect(await adopt(["--pid", String(await pid())])).toMatchObject({ adopted: true });
    expect(await guest("host-a")).toMatchObject({ state: "running", addresses: [`${address}/24`] });
    for (const [from, to] of [
      ["host-a", "host-b"],
      ["host-b", "host-a"],
    ] as const) {
      const { exitCode, report, error } = await lab.migrate(from, "byhand", to, [
        "--probe",
        "packet",
      ]);
      expect({ exitCode, outcome: report?.outcome, error }).toEqual({
        ...{ exitCode: 0, outcome: "completed", error: null },
      });
      expect(report?.probes.packet).toMatchObject({ lost: 0 });
      await moreEchoes(session, 20);
    }
    const { sent, ...result } = await session.finish();
    expect(result).toEqual({ echoed: sent, wrong: null, broken: null, ended: true });
    expect(await guest("host-a")).toMatchObject({ state: "running", host: "host-a" });
  });

  async function adopt(options: readonly string[]): Promise<AdoptionResult> {
    const command = ["sojourn", "guest", "adopt", "byhand", "--json", ...options];
    const { stdout, stderr } = await lab.exec("host-a", command);
    const answer = JSON.parse(stdout);
    if (answer.type === "adoption") return answer;
    throw new Error(`${stdout} ${stderr}`);
  }

  async function guest(host: string): Promise<unknown> {
    return JSON.parse(await lab.run(host, ["sojourn", "guest", "show", "byhand", "--json"]));
  }

  async function pid(): Promise<number> {
    return Number(await lab.run("host-a", ["cat", `${folder}/byhand.pid`]));
  }

  async function clean(): Promise<void> {
    await lab.exec("host-a", ["sojourn", "guest", "stop", "byhand"]);
    await lab.exec("host-a", [
      "sh",
      "-c",
      `kill -9 "$(cat ${folder}/byhand.pid)"; ip link del tap77; rm -rf ${folder} /etc/sojourn/guests/byhand.toml`,
    ]);
  }
});

function failed({ checks }: AdoptionResult): string[] {
  return checks.flatMap(({ result, host, detail }) =>
    result === "fail" ? `${host}: ${detail}` : [],
  );
}
