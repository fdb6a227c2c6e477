import { describe, expect, test } from "vitest";
import { optionsOf, usualOptions } from "../../../src/migrator/migration-options.ts";

describe("options of a migration", () => {
  test("are those of the configuration where nobody wishes anything", () => {
    expect(optionsOf([{}, undefined], usualOptions)).toEqual(usualOptions);
  });

  test("the request goes before the guest, one by one", () => {
    const request = { post_copy: false };
    const guest = { post_copy: true, policy: "gentle" as const, guest_share: 0 };
    expect(optionsOf([request, guest], usualOptions)).toEqual({
      policy: "gentle",
      postCopy: false,
      guestSharePercent: 0,
    });
  });
});
