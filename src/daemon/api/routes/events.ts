import { z } from "zod";
import { requireRole } from "../../access/permission.ts";
import type { DaemonServices, FollowedHostEvent } from "../../services.ts";
import type { Api } from "../api.ts";
import type { EventStreams, ServerSentEvent } from "../event-streams.ts";
import {
  followQuery,
  hostEventSchema,
  hostEventsQuery,
  migrationEventSchema,
  resumeHeaders,
} from "../schemas/events.ts";
import { identifiedParams } from "../schemas/names.ts";

const nothingMore = z.undefined().meta({
  description: "Nothing comes after the event that was named: the migration has ended",
});

/** Streams of server-sent events: of one migration, and of all of this host. */
export function addEventRoutes(
  app: Api,
  services: () => DaemonServices,
  streams: EventStreams,
): void {
  app.get(
    "/v1/migrations/:id/events",
    {
      config: { role: "read", isStream: true },
      schema: {
        operationId: "followMigration",
        summary:
          "Events of one migration, past ones first; the stream ends with its report or error",
        description: "Resume with `Last-Event-ID`: nothing is missed and nothing comes twice.",
        tags: ["events"],
        params: identifiedParams,
        querystring: followQuery,
        headers: resumeHeaders,
        response: { 200: eventStreamOf(migrationEventSchema), 204: nothingMore },
      },
    },
    async ({ params: { id }, query, headers, caller }, reply) => {
      const { abort_on_disconnect: abortOnDisconnect } = query;
      // To follow so is to be able to cancel.
      if (abortOnDisconnect && caller !== null) requireRole(caller, "operate");
      await services().getMigration(id);
      const afterId = headers["last-event-id"] ?? query.last_event_id;
      const options = { abortOnDisconnect, ...(afterId === undefined ? {} : { afterId }) };
      const open = async function* (signal: AbortSignal) {
        for await (const { id: place, event } of services().migrationEvents(id, signal, options)) {
          yield { id: place, event: event.type, data: event };
        }
      };
      return streams.send(reply, open, { mayBeOver: true });
    },
  );
  app.get(
    "/v1/events",
    {
      config: { role: "read", isStream: true },
      schema: {
        operationId: "followHost",
        summary: "Events of all migrations of this host, from now on",
        description: "Resume with `Last-Event-ID`: nothing is missed and nothing comes twice.",
        tags: ["events"],
        querystring: hostEventsQuery,
        headers: resumeHeaders,
        response: { 200: eventStreamOf(hostEventSchema) },
      },
    },
    async ({ query, headers }, reply) => {
      const { guest, type } = query;
      const newest = services().lastEventId();
      const afterId = headers["last-event-id"] ?? query.last_event_id ?? newest;
      const isWanted = ({ event }: FollowedHostEvent) =>
        "type" in event ||
        ((guest === undefined || guest.includes(event.migration.guest)) &&
          (type === undefined || type.includes(event.event.type)));
      const open = async function* (signal: AbortSignal) {
        for await (const item of services().hostEvents(signal, afterId)) {
          if (isWanted(item)) yield messageOf(item);
        }
      };
      return streams.send(reply, open, afterId === newest ? { startId: newest } : {});
    },
  );
}

function eventStreamOf(schema: z.ZodType) {
  return {
    description: "Server-sent events; the schema is that of each one's `data`",
    content: { "text/event-stream": { schema } },
  };
}

function messageOf({ id, event }: FollowedHostEvent): ServerSentEvent {
  return { id, event: "type" in event ? event.type : event.event.type, data: event };
}
