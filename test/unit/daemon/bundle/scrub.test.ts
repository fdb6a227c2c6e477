import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Scrubber } from "../../../../src/daemon/bundle/scrub.ts";
import {
  knownSecrets,
  withoutSecrets,
  withoutUrlSecrets,
} from "../../../../src/daemon/bundle/secrets.ts";
import { tarOf } from "../../../../src/daemon/bundle/tar.ts";

const clean = (text: string, secrets: string[] = []) =>
  new Scrubber({ secrets, redactAddresses: false }).scrub(text);

describe("the configuration", () => {
  it("keeps its shape, paths and hosts, and loses its secrets", () => {
    const config = {
      host: { name: "host-a" },
      peer_api: { key: "/etc/sojourn/pki/host.key", listen: "172.16.1.2:7707" },
      api: { tokens: [{ name: "ci", token: "t0psecret", role: "read" }], token_file: "/etc/t" },
      webhooks: [
        {
          url: "https://me:pw@hooks.example.com/services/T012345/AbCdEfGhIjKlMnOpQrStUv?x=1#y",
          secret: "whsec_abc",
          headers: { "x-anything": "canary", enabled: true },
        },
      ],
      numeric: { password: 123_456 },
    };
    expect(withoutSecrets(config)).toEqual({
      host: { name: "host-a" },
      peer_api: { key: "/etc/sojourn/pki/host.key", listen: "172.16.1.2:7707" },
      // What a secret key holds is hidden as a whole.
      api: {
        tokens: [{ name: "[removed]", token: "[removed]", role: "[removed]" }],
        token_file: "/etc/t",
      },
      webhooks: [
        {
          url: "https://[removed]@hooks.example.com/services/T012345/[removed]?[removed]",
          secret: "[removed]",
          headers: { "x-anything": "[removed]", enabled: true },
        },
      ],
      numeric: { password: "[removed]" },
    });
  });

  it("has no part of a URL left that could be a secret", () => {
    const part = fc.stringMatching(/^[A-Za-z0-9]{24,30}$/);
    fc.assert(
      fc.property(part, part, part, (user, segment, query) => {
        const url = `https://${user}:x@example.com/a/${segment}?q=${query}#${query}`;
        const shown = withoutUrlSecrets(`see ${url}, or "${url}"`);
        for (const secret of [user, segment, query]) expect(shown).not.toContain(secret);
        expect(shown).toContain("@example.com/a/");
      }),
    );
  });
});

describe("known secrets", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "sojourn-secrets-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("are those in the configuration, and in the files it names", async () => {
    const file = join(folder, "tokens");
    await writeFile(file, "# names and tokens\nci read:abcdefghijklmnop\n");
    const secrets = await knownSecrets({
      api: { tokens_file: file, missing_token_file: join(folder, "none") },
      webhooks: [{ secret: "inline-secret", url: "https://u:p%40ssword@h.example/x?sig=deadbeef" }],
    });
    for (const secret of ["abcdefghijklmnop", "inline-secret", "p@ssword", "deadbeef"]) {
      expect(secrets).toContain(secret);
    }
    expect(clean('log: {"x":"abcdefghijklmnop"} p%40ssword', secrets)).toBe(
      'log: {"x":"[removed]"} [removed]',
    );
  });
});

describe("any text", () => {
  it.each([
    ["Authorization: Bearer abc.def-ghi", "abc.def-ghi"],
    ['{"token":"s3cr3t-value"}', "s3cr3t-value"],
    ['{\\"password\\":\\"hunter22\\"}', "hunter22"],
    ["password = hunter22", "hunter22"],
    ["signed v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=", "K5oZfzN95Z9UVu1E"],
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqr"],
    [
      "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIAAA\n-----END EC PRIVATE KEY-----\nafter",
      "MHcCAQEE",
    ],
    ["-----BEGIN PRIVATE KEY-----\nMHcCAQEEIAAA and no end", "MHcCAQEE"],
  ])("loses what looks like a secret: %s", (text, secret) => {
    expect(clean(text)).not.toContain(secret);
    expect(clean(text)).toContain("[removed]");
  });

  it("stays as it is where there is none", () => {
    const line =
      "2026-11-21T17:00:00Z host-a sojourn[1]: keyframe of web1: key ports 7707, tokenless";
    expect(clean(line)).toBe(line);
  });
});

describe("addresses", () => {
  it("get names, the same throughout, and nothing else does", () => {
    const scrubber = new Scrubber({ secrets: [], redactAddresses: true });
    const text = [
      "10.1.0.10/24 via 172.16.1.2 at 17:00:01.250 (10.1.0.10), QEMU 10.0.2, 127.0.0.1.",
      "set copy_10_1_0_10_sjt012345678 lladdr 52:54:00:AA:bb:01 ff:ff:ff:ff:ff:ff",
      "fe80::1 and fe80::1, 2001:db8::1, ::1; sojourn:ipip:172.16.1.2:172.16.2.2:eth0:2",
    ].join("\n");
    expect(scrubber.scrub(text).split("\n")).toEqual([
      "address-1/24 via address-2 at 17:00:01.250 (address-1), QEMU 10.0.2, 127.0.0.1.",
      "set copy_address-1_sjt012345678 lladdr mac-1 ff:ff:ff:ff:ff:ff",
      expect.stringMatching(
        /^address-(\d) and address-\1, address-\d, ::1; sojourn:ipip:address-2:address-\d:eth0:2$/,
      ),
    ]);
    expect(scrubber.scrub("again 172.16.1.2")).toBe("again address-2");
  });

  it("are gone whatever they are", () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.string({ maxLength: 5 }), (address, around) => {
        fc.pre(
          !/[\d.]/.test(around) && !["0.0.0.0", "127.0.0.1", "255.255.255.255"].includes(address),
        );
        const scrubber = new Scrubber({ secrets: [], redactAddresses: true });
        expect(scrubber.scrub(`${around}${address}${around}`)).not.toContain(address);
      }),
    );
  });
});

describe("an archive", () => {
  it("refuses names that it cannot hold", () => {
    const content = Buffer.from("x");
    expect(tarOf([{ name: "a/b", content }], 0)).toHaveLength(2048);
    expect(() => tarOf([{ name: "x".repeat(101), content }], 0)).toThrow("too long");
  });
});
