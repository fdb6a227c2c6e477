import { type SpanContext, trace } from "@opentelemetry/api";
import { releaseVersion } from "../../platform/release.ts";
import { setBounded } from "../bounded-map.ts";
import { isEnd } from "../event-history.ts";
import type { EndEvent, MigrationEvent, MigrationStatus } from "../services.ts";
import { makeSpans, type TracedEvent } from "./migration-spans.ts";
import { contextOf, type TraceParent } from "./trace-parent.ts";

/** Of each kind; the oldest is forgotten. */
const mostRemembered = 256;

/**
 * OpenTelemetry spans of the migrations that leave this host, made when one has ended. Without an SDK in the process
 * they go nowhere; `NODE_OPTIONS=--import …` brings one in. One that another host carries out has its spans there.
 */
export class Tracing {
  readonly #host: string;
  readonly #version = releaseVersion();
  readonly #events = new Map<string, TracedEvent[]>();
  readonly #parents = new Map<string, TraceParent>();
  /** The spans of migrations that ended in doubt: what follows refers to them. */
  readonly #inDoubt = new Map<string, SpanContext>();

  constructor(host: string) {
    this.#host = host;
  }

  /** Makes the migration part of the trace of the request that began it. */
  continueTrace(id: string, parent: TraceParent): void {
    if (!this.#parents.has(id)) setBounded(this.#parents, id, parent, mostRemembered);
  }

  /** Takes an event of any migration of this host; quick. */
  note(migration: MigrationStatus, event: MigrationEvent): void {
    if (migration.from !== this.#host) return;
    const { id } = migration;
    if (event.type === "phase" || event.type === "gate") {
      const known = this.#events.get(id);
      if (known !== undefined) known.push(event);
      else setBounded(this.#events, id, [event], mostRemembered);
    } else if (isEnd(event)) {
      const events = this.#events.get(id) ?? [];
      this.#events.delete(id);
      // Nothing has happened but that an old end was told again.
      if (events.length > 0) this.#end(migration, events, event);
    }
  }

  #end(migration: MigrationStatus, events: readonly TracedEvent[], end: EndEvent): void {
    const { id } = migration;
    const tracer = trace.getTracer("sojourn", this.#version);
    const parent = contextOf(this.#parents.get(id));
    const span = makeSpans(tracer, { migration, events, end }, parent, this.#inDoubt.get(id));
    this.#inDoubt.delete(id);
    if (migration.state === "in-doubt") setBounded(this.#inDoubt, id, span, mostRemembered);
    else this.#parents.delete(id);
  }
}
