import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CommandError, type runCommand } from "../../../src/platform/command.ts";
import { parseFlow } from "../../../src/routing/flows/parse.ts";
import { parseFlows, readFlows } from "../../../src/routing/flows/read.ts";

const tcp =
  "tcp      6 431999 ESTABLISHED src=192.0.2.2 dst=10.1.0.10 sport=40000 dport=7 packets=9 bytes=700 src=10.1.0.10 dst=192.0.2.2 sport=7 dport=40000 packets=8 bytes=600 [ASSURED] mark=0 use=1 id=4136823441";
const udp =
  "udp      17 29 src=10.1.0.10 dst=192.0.2.53 sport=5353 dport=53 [UNREPLIED] src=192.0.2.53 dst=172.16.1.2 sport=53 dport=61000 mark=0 use=1 id=12";
const icmp =
  "icmp     1 29 src=192.0.2.2 dst=10.1.0.10 type=8 code=0 id=4711 src=10.1.0.10 dst=192.0.2.2 type=0 code=0 id=4711 mark=0 use=1 id=4711";
const offloaded =
  "tcp      6 src=10.1.0.10 dst=192.0.2.2 sport=1 dport=2 src=192.0.2.2 dst=10.1.0.10 sport=2 dport=1 [OFFLOAD] mark=0 use=2 id=5";

describe("a line of conntrack", () => {
  it("tells a TCP flow, its state and what was counted", () => {
    expect(parseFlow(tcp)).toEqual({
      ...{ id: "4136823441", protocol: 6, expiresS: 431_999, state: "ESTABLISHED" },
      original: {
        ...{ source: "192.0.2.2", destination: "10.1.0.10", sourcePort: 40_000 },
        ...{ destinationPort: 7, icmp: null, packets: 9, bytes: 700 },
      },
      reply: {
        ...{ source: "10.1.0.10", destination: "192.0.2.2", sourcePort: 7 },
        ...{ destinationPort: 40_000, icmp: null, packets: 8, bytes: 600 },
      },
      ...{ replied: true, assured: true },
    });
  });

  it("tells UDP without an answer, ICMP with its identifier, and a flow that hardware carries", () => {
    expect(parseFlow(udp)).toMatchObject({
      ...{ id: "12", state: null, replied: false },
      reply: { destination: "172.16.1.2", destinationPort: 61_000 },
    });
    expect(parseFlow(icmp)).toMatchObject({
      id: "4711",
      original: { icmp: { type: 8, code: 0, id: 4711 }, sourcePort: null },
    });
    expect(parseFlow(offloaded)).toMatchObject({ expiresS: null, state: null, replied: true });
  });

  it("is refused when it is anything else", () => {
    for (const line of [
      ...["", "conntrack v1.4.7 (conntrack-tools): 3 flow entries have been shown.", "tcp 6"],
      ...[tcp.replace("dst=10.1.0.10", "dst=fd00::1"), tcp.replace(/ id=\d+$/, "")],
      ...[
        tcp.replace("431999", "-1"),
        tcp.replace("tcp      6", "tcp 999"),
        `${tcp} ${" ".repeat(2000)}`,
      ],
    ]) {
      expect(parseFlow(line), line).toBeNull();
    }
  });

  it("is read back as it was written, whatever stands between", () => {
    fc.assert(
      fc.property(flows(), ({ flow, line }) => {
        expect(parseFlow(line)).toEqual(flow);
      }),
    );
  });

  it("never makes the parser throw, nor invent what is not there", () => {
    const words = fc.constantFrom(...tcp.split(/\s+/), ...icmp.split(/\s+/), "src=", "=", "id=x");
    const noise = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.array(words, { maxLength: 40 }).map((some) => some.join(" ")),
    );
    fc.assert(
      fc.property(noise, (line) => {
        const flow = parseFlow(line);
        if (flow === null) return;
        for (const { source, destination, sourcePort } of [flow.original, flow.reply]) {
          expect(line).toContain(`src=${source}`);
          expect(line).toContain(`dst=${destination}`);
          if (sourcePort !== null) expect(sourcePort).toBeLessThan(65_536);
        }
      }),
    );
  });

  it("is one of many: long output is read in turns of the event loop", async () => {
    const lines = Array.from({ length: 2_500 }, (_, id) => tcp.replace(/id=\d+$/, `id=${id}`));
    let turns = 0;
    const count = setInterval(() => (turns += 1), 0);
    const flows = await parseFlows(`${lines.join("\n")}\n`);
    clearInterval(count);
    expect(flows.map(({ id }) => Number(id))).toEqual(lines.map((_, id) => id));
    expect(turns).toBeGreaterThan(0);
  });
});

describe("the flows of an address", () => {
  const answering = (outputs: Record<string, string>) => {
    const ran: string[] = [];
    const run: typeof runCommand = async (program, args) => {
      ran.push([program, ...args].join(" "));
      const stdout = outputs[args.at(-2) ?? ""] ?? "";
      return { exitCode: 0, stdout, stderr: "" };
    };
    return { run, ran };
  };

  it("are those that it began and those that it answers, each once", async () => {
    const { run, ran } = answering({ "--orig-src": udp, "--reply-src": `${tcp}\n${udp}\n` });
    const flows = await readFlows("10.1.0.10", { run, trackedCount: async () => 2 });
    expect(flows.map(({ id }) => id)).toEqual(["12", "4136823441"]);
    expect(ran).toEqual([
      "conntrack -L -f ipv4 -o id --orig-src 10.1.0.10",
      "conntrack -L -f ipv4 -o id --reply-src 10.1.0.10",
    ]);
  });

  it("are none only where connections are tracked", async () => {
    const { run } = answering({});
    expect(await readFlows("10.1.0.10", { run, trackedCount: async () => 1 })).toEqual([]);
    for (const tracked of [null, 0]) {
      const reading = readFlows("10.1.0.10", { run, trackedCount: async () => tracked });
      await expect(reading).rejects.toMatchObject({
        ...{ code: "SOJ_FLOWS_UNTRACKED", exitCode: 3 },
        hint: expect.stringContaining("nft 'table ip tracking {"),
      });
    }
  });

  it("are refused when there are too many, and for anything but an address", async () => {
    const run: typeof runCommand = async () => {
      throw new CommandError("conntrack -L", null, "", "too much output");
    };
    const trackedCount = async () => 1;
    await expect(readFlows("10.1.0.10", { run, trackedCount })).rejects.toMatchObject({
      code: "SOJ_FLOWS_TOO_MANY",
    });
    await expect(readFlows("--help", { run, trackedCount })).rejects.toMatchObject({
      code: "SOJ_BAD_ADDRESS",
    });
  });
});

function flows() {
  const port = fc.integer({ min: 0, max: 65_535 });
  const count = fc.option(fc.nat());
  const tuple = fc.record({
    ...{ source: fc.ipV4(), destination: fc.ipV4(), sourcePort: port, destinationPort: port },
    ...{ icmp: fc.constant(null), packets: count, bytes: count },
  });
  const flow = fc.record({
    id: fc.nat({ max: 2 ** 32 - 1 }).map(String),
    protocol: fc.constantFrom(6, 17, 132),
    expiresS: fc.nat(),
    state: fc.constantFrom(null, "ESTABLISHED", "SYN_SENT", "TIME_WAIT"),
    ...{ original: tuple, reply: tuple, replied: fc.boolean(), assured: fc.boolean() },
  });
  const extra = fc.constantFrom("", " mark=0", " secctx=a:b", " delta-time=7", " zone=1");
  return fc.record({ flow, extra }).map(({ flow: one, extra: between }) => ({
    flow: one,
    line: `x ${one.protocol} ${one.expiresS} ${one.state ?? ""} ${words(one.original)}${one.replied ? "" : " [UNREPLIED]"} ${words(one.reply)}${one.assured ? " [ASSURED]" : ""}${between} use=1 id=${one.id}`,
  }));
}

function words(tuple: Record<string, unknown>): string {
  const names = {
    sourcePort: "sport",
    destinationPort: "dport",
    packets: "packets",
    bytes: "bytes",
  };
  const ports = Object.entries(names).filter(([key]) => tuple[key] !== null);
  const rest = ports.map(([key, name]) => `${name}=${tuple[key]}`).join(" ");
  return `src=${tuple.source} dst=${tuple.destination} ${rest}`;
}
