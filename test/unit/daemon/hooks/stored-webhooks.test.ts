import { describe, expect, it } from "vitest";
import {
  type StoredWebhook,
  StoredWebhooks,
} from "../../../../src/daemon/hooks/stored-webhooks.ts";
import { createLogger } from "../../../../src/platform/log.ts";
import { diskStorage, type Storage } from "../../../../src/platform/storage.ts";

const webhook = (name: string): StoredWebhook => ({
  ...{ name, url: "https://hooks.example.com/", secret: "a secret of enough bytes" },
  ...{ events: ["outcomes"], timeout_ms: 1_000, created_ms: 1 },
});

/** A disk with one file, which can be made to fail. */
function diskWith(content: string) {
  const files = new Map([["webhooks.json", content]]);
  const disk = { files, failing: null as "read" | "replace" | null };
  const check = (what: "read" | "replace") => {
    if (disk.failing === what) throw Object.assign(new Error(`EIO: ${what}`), { code: "EIO" });
  };
  const storage: Storage = {
    ...diskStorage,
    read: (path) => {
      check("read");
      const found = files.get(path);
      return found === undefined ? null : Buffer.from(found);
    },
    replace: (path, text) => {
      check("replace");
      files.set(path, String(text));
    },
  };
  const open = () => new StoredWebhooks("webhooks.json", storage, createLogger("silent"));
  return { disk, open };
}

describe("webhooks that were subscribed to", () => {
  it("that cannot be read keep no daemon from starting, and are not written over", () => {
    const { disk, open } = diskWith(JSON.stringify([webhook("board")]));
    disk.failing = "read";
    const stored = open();
    expect(stored.all()).toEqual([]);
    expect(() => stored.put(webhook("pager"))).toThrow(/EIO/);
    disk.failing = null;
    stored.put(webhook("pager"));
    expect(stored.all().map(({ name }) => name)).toEqual(["board", "pager"]);
  });

  it("that are damaged stay where they are while the disk is full", () => {
    const { disk, open } = diskWith("{");
    disk.failing = "replace";
    const stored = open();
    expect(stored.all()).toEqual([]);
    expect(() => stored.put(webhook("pager"))).toThrow(/EIO/);
    expect([...disk.files.keys()]).toEqual(["webhooks.json"]);
    disk.failing = null;
    stored.put(webhook("pager"));
    expect(disk.files.size).toBe(2);
    expect(stored.all()).toHaveLength(1);
  });
});
