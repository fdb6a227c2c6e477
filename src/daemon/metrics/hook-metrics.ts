import type { Gauge } from "prom-client";
import type { HookFigures } from "../hooks/figures.ts";
import type { Instruments } from "./instruments.ts";

type Label = "hook" | "kind";
type Figure = Exclude<keyof HookFigures, "subscription" | "kind">;

/** Webhooks and programs: whether what happens here reaches those who asked to be told. */
export class HookMetrics {
  #read: () => readonly HookFigures[] = () => [];

  constructor(instruments: Instruments) {
    const labels = ["hook", "kind"] as const;
    const count = (name: `sojourn_${string}_total`, figure: Figure, help: string) =>
      instruments.countedElsewhere(name, help, labels, (add) => {
        for (const one of this.#read()) add({ ...labelsOf(one) }, one[figure]);
      });
    const show = (name: `sojourn_${string}`, figure: Figure, help: string) =>
      instruments.collectedGauge(name, help, labels, (gauge: Gauge<Label>) => {
        for (const one of this.#read()) gauge.set({ ...labelsOf(one) }, one[figure]);
      });
    count("sojourn_hook_attempts_total", "attempted", "Attempts to deliver messages to a hook.");
    count("sojourn_hook_failures_total", "failed", "Attempts that a hook did not accept.");
    count("sojourn_hook_delivered_total", "delivered", "Messages that a hook has accepted.");
    count("sojourn_hook_dead_total", "dead", "Messages to a hook that were given up.");
    count("sojourn_hook_dropped_total", "dropped", "Messages for which the spool had no room.");
    show("sojourn_hook_waiting_messages", "waiting", "Messages that wait for a hook in the spool.");
    show(
      "sojourn_hook_waiting_bytes",
      "waitingBytes",
      "Size of the messages that wait for a hook.",
    );
  }

  know(read: () => readonly HookFigures[]): void {
    this.#read = read;
  }
}

function labelsOf({ subscription: hook, kind }: HookFigures): Record<Label, string> {
  return { hook, kind };
}
