import { expect, test } from "vitest";
import { parseConfig } from "../../../../src/daemon/config.ts";
import { checkGates } from "../../../../src/daemon/doctor/files/gates.ts";
import { gatesSection } from "../../../../src/daemon/gates/config.ts";

const base = `[host]
name = "host-a"
underlay_address = "172.16.1.2"
[peer_api]
listen = "172.16.1.2:7707"
ca = "/ca"
certificate = "/certificate"
key = "/key"
`;

test("the doctor tells of gates that cannot be asked, and what decides then", async () => {
  const { hooks } = parseConfig(base, "sojourn.toml");
  const gates = gatesSection.parse([
    { name: "program", points: ["planned", "armed"], exec: "/usr/bin/env" },
    { name: "away", points: ["armed"], exec: "/nonexistent/gate" },
    { name: "near", points: ["armed"], url: "http://127.0.0.1/", secret_file: "/nonexistent/s" },
  ]);
  const checks = await checkGates({ hooks, gates });
  const told = checks.map(({ id, subject, result }) => [id, subject, result]);
  expect(told).toEqual([
    ["gate", "program", "ok"],
    ["gate", "away", "fail"],
    ["gate", "near", "fail"],
  ]);
  expect(checks[1]).toMatchObject({ why: expect.stringContaining("on_no_answer (deny)") });
  expect(checks[2]).toMatchObject({ hint: expect.stringContaining("allow_targets") });
});

test("a configuration's gates are read with everything else", () => {
  const gate = '[[gates]]\nname = "board"\npoints = ["armed"]\nexec = "/etc/sojourn/gates.d/board"';
  expect(parseConfig(`${base}\n${gate}`, "sojourn.toml").gates).toMatchObject([{ name: "board" }]);
  const wrong = `${base}\n${gate}\ndeadline_ms = 5`;
  expect(() => parseConfig(wrong, "sojourn.toml")).toThrow(/gates\[0\]\.deadline_ms/);
});
