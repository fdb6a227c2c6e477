import { type Infer, int32, struct } from "@stellar/js-xdr";
import { text } from "./text.ts";
import { uuid } from "./uuid.ts";

/**
 * A domain as libvirt names it everywhere (`remote_nonnull_domain`). libvirt goes by `uuid`; `id` is −1 while it does
 * not run.
 */
export const domain = struct("domain", { name: text(), uuid: uuid(), id: int32() });

export type Domain = Infer<typeof domain>;
