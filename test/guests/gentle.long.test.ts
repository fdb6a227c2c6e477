import { expect, test } from "vitest";
import { TestLab } from "../support/lab.ts";

/** Mbit/s; the guest writes three times as fast, over and over. */
const linkMbps = 300;
const writer = `sojourn.memcheck=32 sojourn.dirty_mbps=${3 * linkMbps}`;

test("a guest that writes faster than the link is left alone by the policy gentle, which says why", async () => {
  const writes = ["--link-mbps", String(linkMbps), "--guest-append", writer];
  await using lab = await TestLab.up(`gentle${process.pid}`, ["--hosts", "2", ...writes]);
  const options = ["--policy", "gentle", "--timeout", "12", "--no-probe"];
  const { exitCode, error, lines } = await lab.migrate("host-a", "web1", "host-b", options);
  expect({ exitCode, error }).toMatchObject({
    exitCode: 4,
    error: { code: "SOJ_NOT_CONVERGING", guest_state: "running-at-source" },
  });
  expect(error?.message).toMatch(
    /policy gentle.* will not converge: dirties \d+ Mbit\/s, link \d+/,
  );
  const progress = lines.filter(({ type }) => type === "progress");
  expect(progress.at(-1)).toMatchObject({ forecast: { converges: false } });
  expect(progress.filter((line) => "throttle_percent" in line)).toEqual([]);
});
