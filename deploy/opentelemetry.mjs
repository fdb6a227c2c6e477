// Brings an OpenTelemetry SDK into the daemon, which then sends a span for each migration and for each of its phases.
//
//   mkdir /opt/sojourn-otel && cd /opt/sojourn-otel
//   npm init -y && npm install @opentelemetry/sdk-node
//   cp /opt/sojourn/deploy/opentelemetry.mjs .
//   systemctl edit sojourn:
//     [Service]
//     Environment=NODE_OPTIONS=--import=/opt/sojourn-otel/opentelemetry.mjs
//     Environment=OTEL_SERVICE_NAME=sojourn
//     Environment=OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.example:4318
//
// Only traces, and no instrumentation of Node's own modules: nothing is added to what runs while a guest stands.
import process from "node:process";
import { NodeSDK } from "@opentelemetry/sdk-node";

process.env.OTEL_METRICS_EXPORTER ??= "none";
process.env.OTEL_LOGS_EXPORTER ??= "none";

const sdk = new NodeSDK({ instrumentations: [] });
sdk.start();

// What has not been sent yet is sent before the daemon ends.
process.once("beforeExit", () => sdk.shutdown());
