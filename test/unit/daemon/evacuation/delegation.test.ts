import { expect, it } from "vitest";
import {
  evacuationHandlers,
  evacuationServices,
} from "../../../../src/daemon/evacuation/delegation.ts";
import type { Evacuation } from "../../../../src/daemon/evacuation/schemas.ts";
import { preconditionError, SojournError } from "../../../../src/platform/errors.ts";
import { evacuation, evacuationPlan } from "../../../support/fake-evacuations.ts";

const context = { peer: "host-a", addresses: [] };
const request = { to: ["host-c"] };

/** Host-a's services; host-b has the one evacuation there is. */
function services(peers: Record<string, object>) {
  const callers = Object.entries(peers).map(([peer, handlers]) => ({
    peer,
    call: async (name: string, body: unknown) => {
      const handler = (handlers as Record<string, (body: unknown, from: object) => unknown>)[name];
      if (handler !== undefined) return await handler(body, context);
      throw preconditionError("SOJ_UNKNOWN_PROCEDURE", `there is no procedure ${name}`);
    },
  }));
  return evacuationServices({
    host: "host-a",
    local: localOf([]),
    peer: (host) => {
      const found = callers.find(({ peer }) => peer === host);
      if (found !== undefined) return found as never;
      throw preconditionError("SOJ_HOST_UNKNOWN", `host-a has no peer ${host}`);
    },
    peers: callers as never,
  });
}

function localOf(known: Evacuation[]) {
  return {
    plan: async () => evacuationPlan,
    start: async () => evacuation,
    list: () => known,
    find: (id: string) => known.find((one) => one.id === id) ?? null,
    cancel: async () => ({ ...evacuation, state: "cancelled" as const }),
  };
}

const known = evacuationHandlers(localOf([evacuation]));
const silent = {
  "get-evacuation": () => {
    throw new SojournError("SOJ_PEER_UNREACHABLE", "no answer");
  },
};

it("another host's daemon is asked for what is wanted of that host", async () => {
  const { planEvacuation, startEvacuation, listEvacuations } = services({ "host-b": known });
  expect(await planEvacuation("host-b", request)).toEqual(evacuationPlan);
  expect(await startEvacuation("host-b", request)).toEqual(evacuation);
  expect(await listEvacuations("host-b")).toEqual([evacuation]);
  expect(await listEvacuations(null)).toEqual([]);
  expect(await listEvacuations("host-a")).toEqual([]);
  await expect(startEvacuation("host-z", request)).rejects.toMatchObject({
    code: "SOJ_HOST_UNKNOWN",
  });
});

it("an evacuation is found wherever it is, by its id", async () => {
  const empty = evacuationHandlers(localOf([]));
  const all = services({ "host-c": empty, "host-d": silent, "host-e": {}, "host-b": known });
  expect(await all.getEvacuation(evacuation.id)).toEqual(evacuation);
  expect(await all.cancelEvacuation(evacuation.id, { running: false })).toMatchObject({
    state: "cancelled",
  });
  await expect(all.getEvacuation("e0")).rejects.toMatchObject({
    ...{ code: "SOJ_EVACUATION_UNKNOWN", httpStatus: 404 },
    message: expect.stringMatching(/no answer from host-d$/),
  });
});

it("a host of an earlier release is said to be one", async () => {
  await expect(services({ "host-b": {} }).startEvacuation("host-b", request)).rejects.toMatchObject(
    {
      ...{ code: "SOJ_UNKNOWN_PROCEDURE", message: expect.stringContaining("an earlier release") },
    },
  );
});

it("a list that is too long for one answer loses its oldest", async () => {
  const guests = Array.from({ length: 1_000 }, () => evacuation.guests[0] as never);
  const long = Array.from({ length: 20 }, (_, index) => ({
    ...evacuation,
    id: `e${index}`,
    guests,
  }));
  const { evacuations } = await evacuationHandlers(localOf(long))["list-evacuations"]({}, context);
  expect(JSON.stringify(evacuations).length).toBeLessThan(1024 * 1024);
  expect(evacuations[0]?.id).toBe("e0");
});
