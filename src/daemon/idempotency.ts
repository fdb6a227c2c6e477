import type { Idempotency } from "../migrator/stored-migration.ts";
import { preconditionError, type SojournError, usageError } from "../platform/errors.ts";
import type { MigrationRequest } from "./services.ts";

/** Form of a key: 1 to 64 printable ASCII characters, without space, quote and backslash. */
export const idempotencyKeyPattern = /^[!#-[\]-~]{1,64}$/;

/** @throws SojournError `SOJ_BAD_IDEMPOTENCY_KEY`. */
export function checkIdempotencyKey(text: string): string {
  if (idempotencyKeyPattern.test(text)) return text;
  throw usageError(
    `${JSON.stringify(text.slice(0, 80))} is not an idempotency key`,
    "1 to 64 printable ASCII characters without spaces, quotes and backslashes, for example a UUID",
    "SOJ_BAD_IDEMPOTENCY_KEY",
  );
}

/**
 * The key in an `Idempotency-Key` header, a quoted string of RFC 8941 (draft-ietf-httpapi-idempotency-key-header) or
 * bare. @throws SojournError `SOJ_BAD_IDEMPOTENCY_KEY`.
 */
export function keyOfHeader(header: string): string {
  return checkIdempotencyKey(/^"(.*)"$/.exec(header)?.[1] ?? header);
}

/** The request with its key in the form in which it is remembered. */
export function idempotencyOf(key: string, request: MigrationRequest): Idempotency {
  const { guest, to, tunnel = "auto", strategy = null } = request;
  const { max_outage_ms = null, timeout_s = null } = request;
  const strategyText = strategy === null ? null : [strategy.name, strategy.delay_ms ?? null];
  const { renumber, drain_idle_s, drain_cap_s, release_renumbered } = request;
  const { policy, post_copy, guest_share } = request;
  const address = { renumber, drain_idle_s, drain_cap_s, release_renumbered };
  const options = { policy, post_copy, guest_share };
  const wanted = [guest, to, tunnel, max_outage_ms, timeout_s, strategyText];
  // As an earlier release has written it, where it could have been asked.
  if (Object.values(address).some((wish) => wish !== undefined))
    wanted.push(JSON.stringify(address));
  if (Object.values(options).some((wish) => wish !== undefined))
    wanted.push(JSON.stringify(options));
  return { key, request: JSON.stringify(wanted) };
}

/** What is remembered of earlier requests. */
export interface KnownRequests {
  byKey(key: string): { id: string; idempotency?: Idempotency | null } | undefined;
}

/** Starts at most one migration for a key, also when it is asked for twice at once or again after a restart. */
export class IdempotentStarts {
  readonly #known: KnownRequests;
  readonly #starting = new Map<string, Promise<unknown>>();

  constructor(known: KnownRequests) {
    this.#known = known;
  }

  /**
   * The id of the migration that this request began, earlier or by `start` now. A start that is refused leaves the
   * key free.
   * @throws SojournError `SOJ_IDEMPOTENCY_KEY_REUSED` naming the migration of another request with this key; what
   * `start` throws.
   */
  async start(wanted: Idempotency, start: () => Promise<string>): Promise<string> {
    for (;;) {
      const known = this.#known.byKey(wanted.key);
      if (known !== undefined) {
        if (known.idempotency?.request === wanted.request) return known.id;
        throw keyReused(wanted.key, known.id);
      }
      const other = this.#starting.get(wanted.key);
      if (other === undefined) break;
      await other;
    }
    const started = start();
    this.#starting.set(
      wanted.key,
      started.catch(() => {}),
    );
    try {
      return await started;
    } finally {
      this.#starting.delete(wanted.key);
    }
  }
}

function keyReused(key: string, id: string): SojournError {
  return preconditionError(
    "SOJ_IDEMPOTENCY_KEY_REUSED",
    `the idempotency key ${key} belongs to another request, that of migration ${id}`,
    { migration: id, hint: `a new request needs a new key; sojourn watch ${id} follows that one` },
  );
}
