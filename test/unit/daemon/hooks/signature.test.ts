import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  isSignedBy,
  keyOfSecret,
  newSecret,
  signatureHeaders,
} from "../../../../src/daemon/hooks/signature.ts";

describe("signature", () => {
  it("is that of the specification's example", () => {
    const key = keyOfSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    const headers = signatureHeaders(
      key,
      "msg_p5jXN8AQM9LWM0D4loKWxJek",
      1_614_265_330_000,
      '{"test": 2432232314}',
    );
    expect(headers["webhook-timestamp"]).toBe("1614265330");
    expect(headers["webhook-signature"]).toBe("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  });

  it("is the same as openssl's, also for a secret that is plain text", () => {
    const secret = "a secret in plain text";
    const body = '{"guest":"wëb1"}';
    const headers = signatureHeaders(keyOfSecret(`${secret}\n`), "msg_1", 1_700_000_000_999, body);
    const signed = `msg_1.1700000000.${body}`;
    const theirs = execFileSync(
      "/usr/bin/openssl",
      ["dgst", "-sha256", "-hmac", secret, "-binary"],
      { input: signed },
    ).toString("base64");
    expect(headers["webhook-signature"]).toBe(`v1,${theirs}`);
  });

  it("is believed only for the same id, time and body, and only while it is recent", () => {
    const key = keyOfSecret(newSecret());
    const now = 1_700_000_000_000;
    const headers = signatureHeaders(key, "msg_1", now, "body");
    expect(isSignedBy(key, headers, "body", now + 299_000)).toBe(true);
    expect(isSignedBy(key, headers, "body", now + 301_000)).toBe(false);
    expect(isSignedBy(key, headers, "bodies", now)).toBe(false);
    expect(isSignedBy(key, { ...headers, "webhook-id": "msg_2" }, "body", now)).toBe(false);
    expect(isSignedBy(keyOfSecret(newSecret()), headers, "body", now)).toBe(false);
    const several = `v1,AAAA v2,zz ${headers["webhook-signature"]}`;
    expect(isSignedBy(key, { ...headers, "webhook-signature": several }, "body", now)).toBe(true);
  });

  it("never throws at what a stranger sends", () => {
    const key = keyOfSecret(newSecret());
    const text = fc.option(fc.string(), { nil: undefined });
    fc.assert(
      fc.property(text, text, text, fc.string(), (id, timestamp, signature, body) => {
        const headers = {
          ...(id === undefined ? {} : { "webhook-id": id }),
          ...(timestamp === undefined ? {} : { "webhook-timestamp": timestamp }),
          ...(signature === undefined ? {} : { "webhook-signature": signature }),
        };
        return !isSignedBy(key, headers, body, Date.now());
      }),
    );
  });

  it("refuses secrets that are too short, too long or no base64, without repeating them", () => {
    for (const secret of ["", "short", "whsec_", "whsec_AAAA", "whsec_???", "x".repeat(300)]) {
      expect(() => keyOfSecret(secret)).toThrow(
        expect.objectContaining({ code: "SOJ_HOOK_SECRET_INVALID" }),
      );
    }
  });
});
