import type { Instruments } from "./instruments.ts";

/** Counts of the webhooks' deliveries since the daemon's start, and what waits; held in memory. */
export interface WebhookFigures {
  /** Requests that were sent; one that is repeated counts each time. */
  attempts: number;
  /** Attempts that did not get a success status in time. */
  failures: number;
  delivered: number;
  /** Given up after a day of attempts. */
  dead: number;
  /** Never sent, because there was no room for them. */
  dropped: number;
  spooled: number;
  spooledBytes: number;
}

const nothing: WebhookFigures = {
  attempts: 0,
  failures: 0,
  delivered: 0,
  dead: 0,
  dropped: 0,
  spooled: 0,
  spooledBytes: 0,
};

/** Webhooks: whether what happens here reaches those who asked to be told. */
export class WebhookMetrics {
  #read: () => WebhookFigures = () => nothing;

  constructor(instruments: Instruments) {
    const counts = {
      sojourn_webhook_attempts_total: ["attempts", "Requests that were sent to webhooks."],
      sojourn_webhook_failures_total: ["failures", "Attempts that a webhook did not accept."],
      sojourn_webhook_delivered_total: ["delivered", "Deliveries that a webhook has accepted."],
      sojourn_webhook_dead_total: ["dead", "Deliveries that were given up."],
      sojourn_webhook_dropped_total: ["dropped", "Deliveries for which the spool had no room."],
    } as const;
    for (const [name, [figure, help]] of entriesOf(counts)) {
      instruments.countedElsewhere(name, help, () => this.#read()[figure]);
    }
    instruments.collectedGauge(
      "sojourn_webhook_spool_deliveries",
      "Deliveries that wait in the spool.",
      [],
      (gauge) => gauge.set(this.#read().spooled),
    );
    instruments.collectedGauge(
      "sojourn_webhook_spool_bytes",
      "Size of the deliveries that wait in the spool.",
      [],
      (gauge) => gauge.set(this.#read().spooledBytes),
    );
  }

  know(read: () => WebhookFigures): void {
    this.#read = read;
  }
}

function entriesOf<Key extends string, Value>(object: Record<Key, Value>): [Key, Value][] {
  return Object.entries(object) as [Key, Value][];
}
