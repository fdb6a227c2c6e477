/** What the API takes and answers. */

export type {
  AdoptionCheck,
  AdoptionRequest,
  AdoptionResult,
  Release,
} from "../daemon/adoption/schemas.ts";
export type {
  Evacuation,
  EvacuationGuest,
  EvacuationPlan,
  EvacuationRequest,
} from "../daemon/evacuation/schemas.ts";
export type { Handover } from "../daemon/handover/schemas.ts";
export type {
  Delivery,
  DeliveryPage,
  NewWebhook,
  Webhook,
  WebhookTestResult,
  WebhookWish,
} from "../daemon/hooks/webhook-services.ts";
export type { FlowQuery, FlowSummary } from "../daemon/inventory/schemas.ts";
export type { LibvirtHookAnswer, LibvirtHookRequest } from "../daemon/libvirt-hooks/schemas.ts";
export type { MaintenanceStatus } from "../daemon/maintenance/schemas.ts";
export type {
  Decision,
  DoctorCheck,
  FlowResults,
  FollowedEvent,
  FollowedHostEvent,
  GapEvent,
  GateEvent,
  GuestSummary,
  HostEvent,
  MigrationDetail,
  MigrationEvent,
  MigrationPage,
  MigrationPlan,
  MigrationRequest,
  MigrationStatus,
  NameEvent,
  PhaseEvent,
  ProbeResults,
  ProgressEvent,
  ResolutionResult,
  StartConduct,
} from "../daemon/services.ts";
export type { FlowPath } from "../migrator/flow-path.ts";
export type { MigrationFilter } from "../migrator/migration-query.ts";
export type { Phase } from "../migrator/phases.ts";
export type { MigrationReport, Outcome, TimelineEntry } from "../migrator/report.ts";
export type { CutFlow, Retirement } from "../migrator/retirement-schema.ts";
export type { Strategy } from "../migrator/strategy.ts";
export type { ErrorRecord, GuestState } from "../platform/errors.ts";
export type { ThroughputTimeline } from "../probe/throughput-timeline.ts";
