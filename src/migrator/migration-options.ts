import type { PolicyName } from "../hypervisor/guest-migration.ts";

export { type PolicyName, policyNames } from "../hypervisor/guest-migration.ts";

/** How a guest is moved, as far as somebody may choose. */
export interface MigrationOptions {
  policy: PolicyName;
  /** It may run at the destination before all of its memory is there. */
  postCopy: boolean;
  /** Of the link, left to guests' own traffic while the guest moves; 0: nothing is. */
  guestSharePercent: number;
}

/** The same as a request, or a guest's definition, names it; absent where it says nothing. */
export interface MigrationOptionsWish {
  policy?: PolicyName | undefined;
  post_copy?: boolean | undefined;
  guest_share?: number | undefined;
}

/** What a migration does that nobody has chosen anything for, such as one that only a restart goes on with. */
export const usualOptions: MigrationOptions = {
  policy: "balanced",
  postCopy: false,
  guestSharePercent: 50,
};

/** The first of these wishes that says something about it, or what is configured. Pure. */
export function optionsOf(
  wishes: readonly (MigrationOptionsWish | undefined)[],
  configured: MigrationOptions,
): MigrationOptions {
  const wished = <Key extends keyof MigrationOptionsWish>(key: Key) =>
    wishes.find((wish) => wish?.[key] !== undefined)?.[key];
  return {
    policy: wished("policy") ?? configured.policy,
    postCopy: wished("post_copy") ?? configured.postCopy,
    guestSharePercent: wished("guest_share") ?? configured.guestSharePercent,
  };
}
