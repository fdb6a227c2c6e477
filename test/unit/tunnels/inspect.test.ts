import fc from "fast-check";
import { expect, test } from "vitest";
import { SojournError } from "../../../src/platform/errors.ts";
import {
  classifiedDevices,
  readFilters,
  readLinks,
  readRoute,
} from "../../../src/tunnels/inspect.ts";
import { readMark } from "../../../src/tunnels/mark.ts";
import type { Run } from "../../../src/tunnels/steps.ts";

const printing =
  (stdout: string): Run =>
  async () => ({ exitCode: 0, stdout, stderr: "" });

const readers: [string, (run: Run) => Promise<unknown>, string][] = [
  [
    "ip link",
    async (run) => (await readLinks(run)).map((link) => [link, readMark(link)]),
    '[{},{"ifindex":2,"ifname":"sjt0123456789","flags":["UP"],"mtu":1480,"link_type":"ether","group":"183","address":"52:54:00:00:00:01","ifalias":"sojourn:vxlan:172.16.1.2:172.16.2.2:eth0:2","linkinfo":{"info_kind":"vxlan","info_data":{"id":77,"remote":"172.16.2.2","port":4789}}}]',
  ],
  ["tc qdisc", classifiedDevices, '[{"kind":"noqueue","dev":"lo"},{"kind":"clsact","dev":"eth0"}]'],
  [
    "tc filter",
    (run) => readFilters(run, "eth0", "ingress"),
    '[{"protocol":"ip","pref":183,"kind":"bpf","chain":0,"options":{"handle":"0x1","bpf_name":"sjt0.o:[tc/ingress]"}}]',
  ],
  [
    "ip route",
    (run) => readRoute(run, "172.16.1.2", "172.16.2.2"),
    '[{"dst":"172.16.2.2","from":"172.16.1.2","gateway":"172.16.1.1","dev":"eth0","flags":[]}]',
  ],
];

/** Resolves to the value or to the message of an error of the right kind. */
async function answerOf(read: Promise<unknown>): Promise<unknown> {
  try {
    return await read;
  } catch (error) {
    expect(error).toBeInstanceOf(SojournError);
    expect(error).toMatchObject({ code: "SOJ_TUNNEL_FAILED" });
    const { message, cause } = error as SojournError;
    expect(message.length + String(cause).length).toBeLessThan(1000);
    return "refused";
  }
}

test.each(readers)(
  "%s: a whole answer is read, any part of one is refused",
  async (_, read, text) => {
    expect(await answerOf(read(printing(text)))).not.toBe("refused");
    expect(await answerOf(read(printing("")))).not.toBe("refused");
    for (let cut = 1; cut < text.length; cut += 1) {
      expect(await answerOf(read(printing(text.slice(0, cut))))).toBe("refused");
    }
  },
);

test.each(readers)(
  "%s: any other text is read or refused with a typed error",
  async (_, read, text) => {
    const texts = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.array(fc.jsonValue()).map((values) => JSON.stringify(values)),
      fc
        .tuple(fc.nat(text.length), fc.string({ maxLength: 4 }), fc.nat(4))
        .map(([at, put, cut]) => text.slice(0, at) + put + text.slice(at + cut)),
    );
    await fc.assert(
      fc.asyncProperty(texts, async (stdout) => {
        await answerOf(read(printing(stdout)));
      }),
      { numRuns: 500 },
    );
  },
);

test.each(readers)("%s: a list of a million wrong entries costs little", async (_, read) => {
  expect(await answerOf(read(printing(`[${"1,".repeat(1_000_000)}1]`)))).toBe("refused");
  expect(await answerOf(read(printing("[".repeat(1_000_000))))).toBe("refused");
});
