import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Authenticator } from "../../../src/daemon/access/authenticator.ts";
import { hashToken, TokenTable } from "../../../src/daemon/access/tokens.ts";
import { SojournError } from "../../../src/platform/errors.ts";

const token = "sojourn_t";
const entry = {
  ...{ name: "ci", role: "operate" as const, sha256: hashToken(token) },
  ...{ created: "2026-01-01T00:00:00Z", expires: null },
};

function authenticatorOf() {
  const authenticator = new Authenticator();
  authenticator.replace({ tokens: new TokenTable([entry]), clients: new Map() });
  return (authorization: string) =>
    authenticator.identify({ headers: { authorization }, socket: {} });
}

describe("Authenticator", () => {
  const identify = authenticatorOf();

  it.each(["Bearer sojourn_t", "bearer sojourn_t", "BEARER   sojourn_t"])("knows %j", (header) => {
    expect(identify(header)).toMatchObject({ name: "token:ci", role: "operate" });
  });

  it.each([
    ...["", "Bearer", "Bearer ", "sojourn_t", "Basic sojourn_t", "Bearer sojourn_t sojourn_t"],
    ...[
      "Bearer sojourn_t, Bearer x",
      "Bearer\tsojourn_t",
      "Bearer sojourn_t\u0000",
      " Bearer sojourn_t",
    ],
    `Bearer ${entry.sha256}`,
  ])("refuses %j", (header) => {
    expect(() => identify(header)).toThrow(SojournError);
  });

  it("answers any header with a caller or a refusal that does not repeat it", () => {
    const headers = fc.oneof(
      fc.string({ unit: "binary", maxLength: 400 }),
      fc.string({ minLength: 8, maxLength: 400 }).map((text) => `Bearer ${text}`),
    );
    fc.assert(
      fc.property(headers, (header) => {
        try {
          expect(identify(header).name).toBe("token:ci");
        } catch (error) {
          expect(error).toMatchObject({ code: "SOJ_TOKEN_REFUSED", httpStatus: 401 });
          expect((error as Error).message).toBe("the token is not known here");
        }
      }),
    );
  });

  it("before it has been told of any, knows nobody", () => {
    const blank = new Authenticator();
    expect(() =>
      blank.identify({ headers: { authorization: `Bearer ${token}` }, socket: {} }),
    ).toThrow(SojournError);
    expect(() => blank.identify({ headers: {}, socket: {} })).toThrow("is needed");
  });
});
