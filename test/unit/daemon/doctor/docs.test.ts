import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "../../../..");
const folder = join(root, "src/daemon/doctor");

/** Ids of topics as the sources write them. */
function idsInSources(): Set<string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const ids = files
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => [...readFileSync(join(folder, file), "utf8").matchAll(idPattern)])
    .map((match) => match[1] ?? match[2] ?? "");
  return new Set(ids);
}

const idPattern = /\bid: "([a-z][a-z0-9-]+)"|\b(?:topic|about)\(\s*"([a-z][a-z0-9-]+)"/g;

/** For what is thrown where several checks are made at once. */
const groups = ["kernel-nftables", "firewall", "peer-tunnels", "api-access"];

it("every check is in the documentation, and no other", () => {
  const text = readFileSync(join(root, "docs/doctor.md"), "utf8");
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));
  const documented = rows.flatMap((row) =>
    [...(row.split("|")[1] ?? "").matchAll(/`([a-z0-9-]+)`/g)].map((match) => match[1] ?? ""),
  );
  const known = [...idsInSources()].filter((id) => !groups.includes(id));
  expect(documented.toSorted()).toEqual(known.toSorted());
});
