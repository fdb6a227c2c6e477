import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isPublicAddress } from "../../../../src/daemon/hooks/addresses.ts";
import { isTarget, TargetPolicy } from "../../../../src/daemon/hooks/targets.ts";

const refused = expect.objectContaining({ code: "SOJ_HOOK_TARGET_REFUSED" });
const invalid = expect.objectContaining({ code: "SOJ_HOOK_URL_INVALID" });
const addresses =
  (...found: string[]) =>
  async () =>
    found.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }) as const);

describe("addresses", () => {
  it.each([
    ...["0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.9.9.9"],
    ...["169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.168.1.1"],
    ...["198.18.0.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16"],
    ...["::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1"],
    ...["::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:a9fe:a9fe", "64:ff9b::7f00:1"],
    ...["2002:7f00:1::1", "2001::1", "2001:db8::1", "3fff::1", "::7f00:1", "100::1", "fec0::1"],
  ])("%s is not public", (address) => expect(isPublicAddress(address)).toBe(false));

  it.each([
    ...["1.1.1.1", "100.63.255.255", "100.128.0.1", "172.32.0.1", "192.169.0.1", "223.255.255.1"],
    ...["2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1"],
  ])("%s is public", (address) => expect(isPublicAddress(address)).toBe(true));

  it("are judged alike as IPv4 and inside IPv6", () => {
    fc.assert(
      fc.property(
        fc.ipV4(),
        (address) => isPublicAddress(address) === isPublicAddress(`::ffff:${address}`),
      ),
    );
  });
});

describe("target policy", () => {
  const strict = new TargetPolicy();
  const open = new TargetPolicy(["127.0.0.0/8", "fd00::/8", "Receiver.Example", "localhost."]);

  it.each([
    ...["https://127.0.0.1/", "https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/"],
    ...["https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest"],
    ...[
      "http://1.1.1.1/",
      "http://receiver.example/",
      "https://10.0.0.1:8443/x",
      "https://127.0.0.1./",
    ],
  ])("%s is refused unless listed", (url) => {
    expect(() => strict.checkUrl(url)).toThrow(refused);
  });

  it.each(["http://127.0.0.1:9/x", "https://127.1/", "https://[fd00::1]/", "https://1.1.1.1/"])(
    "%s is allowed when listed or public",
    (url) => expect(open.checkUrl(url).protocol).toMatch(/^https?:$/),
  );

  it.each([
    ...["", "x", "ftp://a/", "file:///etc/passwd", "https://user:pw@example.com/", "https://"],
    ...["https://example.com/#x", `https://example.com/${"x".repeat(3000)}`, "javascript:1"],
  ])("%s is no URL for a hook", (url) => {
    expect(() => open.checkUrl(url)).toThrow(invalid);
  });

  it("keeps a name from leading inside, and connects to what it has checked", async () => {
    const url = strict.checkUrl("https://rebind.example/");
    await expect(strict.addressesOf(url, addresses("10.0.0.1"))).rejects.toThrow(refused);
    await expect(strict.addressesOf(url, addresses("::1", "fe80::1"))).rejects.toThrow(refused);
    await expect(strict.addressesOf(url, addresses())).rejects.toThrow(refused);
    const found = await strict.addressesOf(url, addresses("127.0.0.1", "1.1.1.1"));
    expect(found).toEqual([{ address: "1.1.1.1", family: 4 }]);
  });

  it("allows a listed name whatever its address and protocol", async () => {
    const url = open.checkUrl("http://RECEIVER.example.:80/");
    const found = await open.addressesOf(url, addresses("10.0.0.1"));
    expect(found).toEqual([{ address: "10.0.0.1", family: 4 }]);
    const other = open.checkUrl("http://other.example/");
    await expect(open.addressesOf(other, addresses("1.1.1.1"))).rejects.toThrow(refused);
  });

  it("shows no more than the origin", () => {
    const secret = () => strict.checkUrl("https://10.0.0.1/services/T0/SECRET?token=SECRET");
    expect(secret).toThrow(/https:\/\/10\.0\.0\.1 /);
    expect(secret).not.toThrow(/SECRET/);
  });

  it.each(["10.0.0.0/8", "10.0.0.1", "::1", "fd00::/8", "a", "a.b-c.example", "localhost"])(
    "%s may be listed",
    (entry) => expect(isTarget(entry)).toBe(true),
  );

  it.each(["", "10.0.0.0/33", "fd00::/129", "10.0.0", "*.example", "a b", "http://a", "-a", "a/8"])(
    "%j may not be listed",
    (entry) => expect(isTarget(entry)).toBe(false),
  );

  it("takes any entry that it calls listable, and any URL, without another error", () => {
    const policy = fc.array(fc.oneof(fc.string(), fc.ipV4(), fc.ipV6(), fc.domain()));
    fc.assert(
      fc.property(policy, fc.oneof(fc.webUrl(), fc.string()), (entries, text) => {
        const made = new TargetPolicy(entries.filter(isTarget));
        try {
          made.checkUrl(text);
          return true;
        } catch (error) {
          return /^SOJ_HOOK_/.test((error as { code: string }).code);
        }
      }),
    );
  });
});
