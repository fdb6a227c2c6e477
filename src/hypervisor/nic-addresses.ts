import type { GuestDefinition } from "./definition.ts";

type Nics = Pick<GuestDefinition, "nics">;

/** All of a guest's addresses, without their prefix lengths. Pure. */
export function nicAddresses({ nics }: Nics): string[] {
  return nics.flatMap(({ addresses }) => addresses.map(withoutLength));
}

/** The first address of its first NIC, by which it is reached; undefined where that has none. Pure. */
export function firstAddress({ nics }: Nics): string | undefined {
  const [text] = nics[0]?.addresses ?? [];
  return text === undefined ? undefined : withoutLength(text);
}

function withoutLength(text: string): string {
  return text.split("/")[0] ?? text;
}
