import { wallClockMs } from "../../platform/clock.ts";
import type { HookEndpoint } from "./endpoint.ts";
import type { HookAnswer, HookSender } from "./send.ts";
import { signatureHeaders } from "./signature.ts";
import type { SpooledMessage } from "./spool-rows.ts";

/** How a receiver is reached. Files are read at each message, so that they can be replaced at any time. */
export interface WebhookTarget {
  url: string;
  timeoutMs: number;
  key(): Promise<Uint8Array>;
  /** PEM certificates trusted instead of the system's; undefined for those. */
  ca(): Promise<string | undefined>;
}

/** Sends messages to a URL, signed. */
export class WebhookEndpoint implements HookEndpoint {
  readonly kind = "webhook";
  readonly #target: WebhookTarget;
  readonly #sender: HookSender;

  constructor(target: WebhookTarget, sender: HookSender) {
    this.#target = target;
    this.#sender = sender;
  }

  async deliver({ id, body }: SpooledMessage, signal: AbortSignal): Promise<number> {
    return (await this.send(id, body, signal)).status;
  }

  /** @throws as `HookSender.send`; SojournError for a file that cannot be read. */
  async send(id: string, body: string, signal?: AbortSignal): Promise<HookAnswer> {
    const { url, timeoutMs } = this.#target;
    const [key, ca] = await Promise.all([this.#target.key(), this.#target.ca()]);
    return await this.#sender.send({
      ...{ url, body, timeoutMs },
      headers: { ...signatureHeaders(key, id, wallClockMs(), body) },
      ...(ca === undefined ? {} : { ca }),
      ...(signal === undefined ? {} : { signal }),
    });
  }
}
