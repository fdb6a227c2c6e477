import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RecordStore } from "../../../src/migrator/record-store.ts";
import { aToB, recordOf, temporaryFolder } from "./support.ts";

const record = {
  ...recordOf("web1", 10),
  redirect: { host: "host-b", tunnel: aToB },
};

test("a record survives the daemon; a removed one is gone", () => {
  using folder = temporaryFolder();
  const store = new RecordStore(folder.path);
  store.put(record);
  store.put(recordOf("web2", 11));
  expect(new RecordStore(folder.path).get("web1")).toEqual(record);
  store.remove("web2");
  expect(new RecordStore(folder.path).all()).toEqual([record]);
  expect(readdirSync(folder.path)).toEqual(["web1.json"]);
  store.remove("web2");
});

test("a volatile change is for this daemon only", () => {
  using folder = temporaryFolder();
  const store = new RecordStore(folder.path);
  store.put(record);
  store.putVolatile({ ...record, epoch: 9 });
  expect(store.get("web1")?.epoch).toBe(9);
  expect(new RecordStore(folder.path).get("web1")?.epoch).toBe(1);
});

test("a damaged record is refused, naming the file", () => {
  using folder = temporaryFolder();
  new RecordStore(folder.path).put(record);
  const path = join(folder.path, "web1.json");
  const whole = readFileSync(path, "utf8");
  for (const damaged of [whole.slice(0, -10), "", "[]", whole.replace('"epoch"', '"epohc"')]) {
    writeFileSync(path, damaged);
    expect(() => new RecordStore(folder.path), damaged.slice(-30)).toThrow("web1.json");
  }
});

test("a file that was never finished is not a record", () => {
  using folder = temporaryFolder();
  writeFileSync(join(folder.path, "web1.json.tmp"), "{");
  expect(new RecordStore(folder.path).all()).toEqual([]);
});
