import { describe, expect, test } from "vitest";
import type { StreamFeatures } from "../../../src/hypervisor/hypervisor.ts";
import { prepareOutgoing } from "../../../src/hypervisor/qemu/migration.ts";
import { QmpCommandError } from "../../../src/hypervisor/qemu/qmp/errors.ts";
import { noFeatures, setFeatures } from "../../../src/hypervisor/qemu/stream-features.ts";

const all: StreamFeatures = { postCopy: true, multifdChannels: 2, compression: "zstd" };
const everything = ["events", "return-path", "pause-before-switchover", "auto-converge"];
const outgoing = { downtimeLimitMs: 1, maxBandwidthBytesPerSecond: 0 };

/** What a QEMU does with capabilities and parameters, as far as these questions go. */
class SettingsOfQemu {
  readonly capabilities: Map<string, boolean>;
  readonly parameters = new Map<string, unknown>();
  refusesTogether: readonly string[] = ["postcopy-ram", "multifd"];
  compressions = ["none", "zlib", "zstd"];

  constructor(...capabilities: string[]) {
    this.capabilities = new Map(capabilities.map((name) => [name, false]));
  }

  readonly execute = async (command: string, args: Record<string, unknown> = {}) => {
    const refuse = (why: string) => new QmpCommandError(command, "GenericError", why);
    if (command === "query-migrate-capabilities")
      return [...this.capabilities].map(([capability, state]) => ({ capability, state }));
    if (command === "migrate-set-capabilities") {
      const after = new Map(this.capabilities);
      for (const { capability, state } of args.capabilities as {
        capability: string;
        state: boolean;
      }[]) {
        if (!after.has(capability)) throw refuse(`does not accept value '${capability}'`);
        after.set(capability, state);
      }
      if (this.refusesTogether.every((name) => after.get(name))) throw refuse("not yet compatible");
      for (const [name, state] of after) this.capabilities.set(name, state);
    }
    if (command === "migrate-set-parameters") {
      const method = args["multifd-compression"] as string | undefined;
      if (method !== undefined && !this.compressions.includes(method))
        throw refuse(`does not accept value '${method}'`);
      for (const [name, value] of Object.entries(args)) this.parameters.set(name, value);
    }
    return {};
  };

  get on(): string[] {
    return [...this.capabilities].filter(([, state]) => state).map(([name]) => name);
  }
}

describe("what a stream may use", () => {
  test("with post-copy there are no channels where QEMU does not take both", async () => {
    const qemu = new SettingsOfQemu("postcopy-ram", "multifd");
    expect(await setFeatures(qemu.execute, all)).toEqual({ ...noFeatures, postCopy: true });
    expect(qemu.on).toEqual(["postcopy-ram"]);
  });

  test("all of it where QEMU takes all", async () => {
    const qemu = new SettingsOfQemu("postcopy-ram", "multifd");
    qemu.refusesTogether = ["nothing"];
    expect(await setFeatures(qemu.execute, all)).toEqual(all);
    expect(qemu.parameters.get("multifd-channels")).toBe(2);
    expect(qemu.parameters.get("multifd-compression")).toBe("zstd");
  });

  test("channels where post-copy is not to be had, by this QEMU or by its host", async () => {
    const withoutIt = new SettingsOfQemu("multifd");
    expect(await setFeatures(withoutIt.execute, all)).toEqual({ ...all, postCopy: false });
    const refused = new SettingsOfQemu("postcopy-ram", "multifd");
    refused.refusesTogether = ["postcopy-ram"];
    expect(await setFeatures(refused.execute, all)).toEqual({ ...all, postCopy: false });
    expect(refused.on).toEqual(["multifd"]);
  });

  test("a compression that this QEMU does not have is none", async () => {
    const qemu = new SettingsOfQemu("multifd");
    qemu.compressions = ["none", "zlib"];
    const wanted = { ...all, postCopy: false };
    expect(await setFeatures(qemu.execute, wanted)).toEqual({ ...wanted, compression: "none" });
    expect(qemu.parameters.get("multifd-compression")).toBe("none");
  });

  test("nothing of an earlier stream stays", async () => {
    const qemu = new SettingsOfQemu(...everything, "postcopy-ram", "multifd");
    const channels = { ...all, postCopy: false };
    const throttle = { initialPercent: 20, incrementPercent: 10, maximumPercent: 99 };
    await prepareOutgoing(qemu.execute, { ...outgoing, features: channels, throttle });
    expect(qemu.on).toEqual([...everything, "multifd"]);
    expect(qemu.parameters.get("max-cpu-throttle")).toBe(99);
    await prepareOutgoing(qemu.execute, outgoing);
    expect(qemu.on).toEqual(["events", "return-path", "pause-before-switchover"]);
  });

  test("pages that follow a guest keep to the stream's limit from the first one on", async () => {
    const qemu = new SettingsOfQemu(...everything, "postcopy-ram");
    const features = { ...noFeatures, postCopy: true };
    const limited = { ...outgoing, maxBandwidthBytesPerSecond: 10e6, features };
    await prepareOutgoing(qemu.execute, limited);
    expect(qemu.parameters.get("max-postcopy-bandwidth")).toBe(10e6);
  });

  test("what the destination has set and this QEMU cannot is refused", async () => {
    const qemu = new SettingsOfQemu(...everything, "multifd");
    qemu.compressions = ["none"];
    const features = { ...all, postCopy: false };
    await expect(prepareOutgoing(qemu.execute, { ...outgoing, features })).rejects.toMatchObject({
      code: "SOJ_HYPERVISOR_REFUSED",
      message: expect.stringContaining("compression"),
    });
  });

  test.each([0, 100, Number.NaN])(
    "a throttle of %d %% is not asked for",
    async (maximumPercent) => {
      const qemu = new SettingsOfQemu(...everything);
      const throttle = { initialPercent: 20, incrementPercent: 10, maximumPercent };
      await expect(prepareOutgoing(qemu.execute, { ...outgoing, throttle })).rejects.toMatchObject({
        code: "SOJ_USAGE",
      });
    },
  );
});
