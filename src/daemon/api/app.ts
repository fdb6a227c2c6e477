import fastify, { type FastifyServerOptions } from "fastify";
import type { Logger } from "../../platform/log.ts";
import { auditChanges } from "../access/audit.ts";
import type { DaemonServices } from "../services.ts";
import type { Api, Authorize } from "./api.ts";
import { answerBrokenRequest } from "./broken-requests.ts";
import { type EventStreamLimits, EventStreams } from "./event-streams.ts";
import { readJsonBodies } from "./json-bodies.ts";
import { maxBodyBytes, maxParameterLength } from "./limits.ts";
import { type ApiMetricsSource, noMetrics, observeRequests } from "./observed-requests.ts";
import { describeRoutes, serveDocument } from "./openapi/plugin.ts";
import { frameworkErrors, replyWithProblems } from "./problems.ts";
import { holdReads, QuietReads } from "./quiet-reads.ts";
import { demandRoles } from "./roles.ts";
import { addAnchorRoutes } from "./routes/anchor.ts";
import { addDoctorRoutes } from "./routes/doctor.ts";
import { addEvacuationRoutes } from "./routes/evacuations.ts";
import { addEventRoutes } from "./routes/events.ts";
import { addGuestRoutes } from "./routes/guests.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addInventoryRoutes } from "./routes/inventory.ts";
import { addLibvirtRoutes } from "./routes/libvirt.ts";
import { addMaintenanceRoutes } from "./routes/maintenance.ts";
import { addMetricsRoutes } from "./routes/metrics.ts";
import { addMigrationRoutes } from "./routes/migrations.ts";
import { addWebhookRoutes } from "./routes/webhooks.ts";
import { answerUnknownRoutes } from "./unknown-routes.ts";
import { checkWithZod } from "./validation.ts";

export interface ApiOptions {
  hostName: string;
  /** Asked at every request; throws while the daemon is starting. */
  services: () => DaemonServices;
  logger: Logger;
  /** Without it everything is allowed: the unix socket's permissions have decided already. */
  authorize?: Authorize;
  /** Adds plugins and hooks that come before all others. */
  extend?: (app: Api) => Promise<void>;
  /** What the daemon counts, to which the API's requests are added. */
  metrics?: ApiMetricsSource;
  /** Whether a guest stands because of a migration: what only reads, event streams too, waits then, for a moment. */
  isGuestStanding?: () => boolean;
  eventStreams?: Partial<EventStreamLimits>;
  /** Of the server beneath, such as `https`, and time-outs. */
  server?: FastifyServerOptions & { https?: object };
}

/**
 * The HTTP API, ready to listen: on a unix socket, or on TCP with `server.https` and `authorize`.
 * @throws Error when a route names no role.
 */
export async function createApi(options: ApiOptions): Promise<Api> {
  const { services, logger, authorize = () => {}, metrics = noMetrics } = options;
  const app = fastify({
    bodyLimit: maxBodyBytes,
    routerOptions: { maxParamLength: maxParameterLength },
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    logger: false,
    frameworkErrors,
    clientErrorHandler: answerBrokenRequest,
    ...options.server,
  }) as unknown as Api;
  readJsonBodies(app);
  checkWithZod(app);
  replyWithProblems(app, logger);
  app.decorateRequest("caller", null);
  auditChanges(app, logger);
  await options.extend?.(app);
  observeRequests(app, metrics);
  demandRoles(app, authorize);
  const quiet = new QuietReads(options.isGuestStanding ?? (() => false));
  holdReads(app, quiet);
  answerUnknownRoutes(app);
  await describeRoutes(app);
  addHealthRoutes(app, services, options.hostName);
  addMetricsRoutes(app, metrics);
  addDoctorRoutes(app, services);
  addGuestRoutes(app, services);
  addAnchorRoutes(app, services);
  addMaintenanceRoutes(app, services);
  addLibvirtRoutes(app, services);
  addMigrationRoutes(app, services);
  addEvacuationRoutes(app, services);
  addInventoryRoutes(app, services);
  addEventRoutes(app, services, new EventStreams(quiet, options.eventStreams));
  await serveDocument(app);
  addWebhookRoutes(app, services);
  await app.ready();
  return app;
}
