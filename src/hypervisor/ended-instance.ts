import { SojournError } from "../platform/errors.ts";
import { streamOf } from "../platform/event-stream.ts";
import type { GuestDefinition } from "./definition.ts";
import type { GuestEvent, GuestInstance } from "./hypervisor.ts";

/** Stands for a guest's process that ended while nobody watched: every request fails with `SOJ_HYPERVISOR_GONE`. */
export function endedInstance(definition: GuestDefinition): GuestInstance {
  const gone = async (): Promise<never> => {
    throw new SojournError("SOJ_HYPERVISOR_GONE", `the process of ${definition.name} has ended`);
  };
  return {
    guest: definition.name,
    instanceId: "ended",
    pid: 0,
    definition,
    nics: [],
    incoming: false,
    consolePath: "",
    ended: Promise.resolve(),
    isAlive: () => false,
    onEvent: () => () => {},
    events: (signal) => streamOf<GuestEvent>(() => () => {}, signal),
    quit: async () => {},
    [Symbol.asyncDispose]: async () => {},
    runState: gone,
    openStorage: gone,
    waitForEvent: gone,
    stop: gone,
    cont: gone,
    powerDown: gone,
    listenForMigration: gone,
    prepareOutgoing: gone,
    setOutgoingParameters: gone,
    migrateTo: gone,
    migrationProgress: gone,
    continueMigration: gone,
    cancelMigration: gone,
    announceSelf: gone,
  };
}
