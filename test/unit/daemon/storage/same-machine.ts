import { DigestMemory, storageHandlers } from "../../../../src/daemon/storage/host-storage.ts";
import type { storageProcedures } from "../../../../src/daemon/storage/procedures.ts";
import type { PeerCaller } from "../../../../src/platform/procedures.ts";

/** A host-b that is this machine too: all that it is asked for is found. */
export function sameMachine(): PeerCaller<typeof storageProcedures> {
  const handlers = storageHandlers(new DigestMemory());
  return {
    peer: "host-b",
    call: async (name, request) =>
      (await handlers[name](request as never, { peer: "host-a", addresses: [] })) as never,
  };
}
