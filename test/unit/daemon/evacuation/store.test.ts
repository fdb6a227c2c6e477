import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { EvacuationStore } from "../../../../src/daemon/evacuation/store.ts";
import { createLogger } from "../../../../src/platform/log.ts";
import { diskStorage } from "../../../../src/platform/storage.ts";
import { temporaryFolder } from "../../migrator/support.ts";
import { evacuationOfGuests, queued } from "./support.ts";

const logger = createLogger("silent");
const stored = evacuationOfGuests([queued("web1"), queued("web2", { to: null, failures: 1 })]);

it("gives back what was put, newest first", () => {
  using folder = temporaryFolder();
  const store = new EvacuationStore(join(folder.path, "evacuations"), diskStorage, logger);
  const later = { ...stored, id: "e1", started_ms: stored.started_ms + 1 };
  store.put(stored);
  store.put(later);
  expect(store.readAll()).toEqual({ evacuations: [later, stored], damaged: [] });
});

it("tells a file that is none of its own as damaged, whatever is in it", () => {
  using folder = temporaryFolder();
  mkdirSync(folder.path, { recursive: true });
  const path = join(folder.path, "e0.json");
  const text = JSON.stringify(stored);
  const cut = fc.nat(text.length).map((length) => text.slice(0, length));
  const store = new EvacuationStore(folder.path, diskStorage, logger);
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json(), cut), (content) => {
      writeFileSync(path, content);
      expect(store.readAll()).toMatchObject({ evacuations: [], damaged: [{ path }] });
    }),
  );
});

it("tells a folder that cannot be read", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "file");
  writeFileSync(path, "");
  const store = new EvacuationStore(path, diskStorage, logger);
  expect(store.readAll()).toMatchObject({ evacuations: [], damaged: [{ path }] });
});
