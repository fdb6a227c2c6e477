/** A host that takes guests, and how much memory it has for them. */
export interface Room {
  host: string;
  freeMib: number;
}

/** A guest as far as its place depends on it. */
export interface SizedGuest {
  guest: string;
  memoryMib: number;
  home: string;
}

/** QEMU's own memory beside its guest's. */
const processMib = 64;

/** What a host must have free for the guest. */
export function neededMib({ memoryMib }: Pick<SizedGuest, "memoryMib">): number {
  return memoryMib + processMib;
}

/** Whether the guest's memory fits into the room. */
export function fits(guest: Pick<SizedGuest, "memoryMib">, { freeMib }: Room): boolean {
  return neededMib(guest) <= freeMib;
}

/**
 * Where each guest goes, null where no host has room for it. The largest come first; a guest whose home is among the hosts
 * goes home where it fits, any other one to the host with most left, so that all links carry something. Where that
 * leaves out guests that fit when hosts are filled up one by one, they are. Pure.
 */
export function place(
  guests: readonly SizedGuest[],
  rooms: readonly Room[],
): Map<string, string | null> {
  const spread = placeBy(guests, rooms, roomiest);
  if (![...spread.values()].includes(null)) return spread;
  const packed = placeBy(guests, rooms, tightest);
  return leftOut(packed) < leftOut(spread) ? packed : spread;
}

/** The host that one guest goes to now, null when none has room. Pure. */
export function placeOne(guest: SizedGuest, rooms: readonly Room[]): string | null {
  return place([guest], rooms).get(guest.guest) ?? null;
}

type Preference = (rooms: readonly Room[]) => Room | undefined;

const roomiest: Preference = (rooms) => extreme(rooms, ({ freeMib }) => freeMib);
const tightest: Preference = (rooms) => extreme(rooms, ({ freeMib }) => -freeMib);

function placeBy(guests: readonly SizedGuest[], rooms: readonly Room[], prefer: Preference) {
  const left = rooms.map((room) => ({ ...room }));
  const places = new Map<string, string | null>(guests.map(({ guest }) => [guest, null]));
  const largestFirst = guests.toSorted((one, other) => other.memoryMib - one.memoryMib);
  for (const guest of largestFirst) {
    const possible = left.filter((room) => fits(guest, room));
    const chosen = possible.find(({ host }) => host === guest.home) ?? prefer(possible);
    if (chosen === undefined) continue;
    chosen.freeMib -= neededMib(guest);
    places.set(guest.guest, chosen.host);
  }
  return places;
}

function leftOut(places: ReadonlyMap<string, string | null>): number {
  return [...places.values()].filter((host) => host === null).length;
}

/** The first of those with the greatest worth. */
function extreme(rooms: readonly Room[], worth: (room: Room) => number): Room | undefined {
  const [first, ...others] = rooms;
  if (first === undefined) return undefined;
  return others.reduce((best, room) => (worth(room) > worth(best) ? room : best), first);
}
