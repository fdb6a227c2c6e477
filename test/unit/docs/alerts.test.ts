import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { root } from "../../support/doc-blocks.ts";
import { describedOperation } from "../../support/openapi/described.ts";

const read = (path: string) => readFileSync(join(root, path), "utf8");

test("the YAML files of deploy/ are right, and say nothing twice", () => {
  const files = [
    ...["examples/ansible.yml", "examples/alertmanager.yml"],
    ...["prometheus/alerts.yml", "prometheus/prometheus.yml"],
  ];
  for (const file of files) {
    for (const { errors, warnings } of parseAllDocuments(read(`deploy/${file}`))) {
      expect([file, ...errors, ...warnings]).toEqual([file]);
    }
  }
});

test("alertmanager.yml sends the alerts that the receiver acts on to where it listens", () => {
  const { route, receivers } = alertmanager.parse(parse(read("deploy/examples/alertmanager.yml")));
  const program = read("deploy/examples/alertmanager-evacuate.mjs");
  const names = receivers.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining([route.receiver, route.routes[0]?.receiver]));
  expect(route.routes[0]?.matchers).toEqual(['evacuate="true"']);
  expect(program).toContain('labels.evacuate === "true"');
  const [hook] = receivers.find(({ name }) => name === "evacuate")?.webhook_configs ?? [];
  const [, port] = /port: \{ type: "string", default: "(\d+)" \}/.exec(program) ?? [];
  expect(hook?.url).toBe(`http://127.0.0.1:${port}/`);
  expect(hook?.http_config.authorization.credentials_file).toMatch(/^\/etc\/alertmanager\//);
});

test("prometheus.yml scrapes the API's metrics, of hosts by their names", () => {
  const { rule_files, scrape_configs } = prometheus.parse(
    parse(read("deploy/prometheus/prometheus.yml"), { merge: true }),
  );
  for (const file of rule_files)
    expect(existsSync(join(root, "deploy/prometheus", file))).toBe(true);
  expect(scrape_configs.map(({ static_configs: [one] }) => one?.labels.instance)).toEqual([
    ...["host-a", "host-b"],
  ]);
  expect(describedOperation("GET", "/metrics")["x-role"]).toBe("read");
});

test("alerts.yml has rules of the form that Prometheus takes, each by one name", () => {
  const { groups } = rules.parse(parse(read("deploy/prometheus/alerts.yml")));
  const names = groups.flatMap((group) => group.rules.map((rule) => ruleName(rule)));
  expect(names.length).toBeGreaterThan(20);
  expect(new Set(names).size).toBe(names.length);
});

const alertmanager = z.strictObject({
  route: z.strictObject({
    receiver: z.string(),
    routes: z.array(
      z.strictObject({
        matchers: z.array(z.string()),
        receiver: z.string(),
        group_by: z.array(z.string()),
        group_wait: z.string(),
        repeat_interval: z.string(),
      }),
    ),
  }),
  receivers: z.array(
    z.strictObject({
      name: z.string(),
      webhook_configs: z.exactOptional(
        z.array(
          z.strictObject({
            url: z.url(),
            send_resolved: z.boolean(),
            http_config: z.strictObject({
              authorization: z.strictObject({ credentials_file: z.string() }),
            }),
          }),
        ),
      ),
    }),
  ),
});

const prometheus = z.looseObject({
  rule_files: z.array(z.string()),
  scrape_configs: z.array(
    z.strictObject({
      job_name: z.string(),
      scheme: z.literal("https"),
      authorization: z.strictObject({ type: z.literal("Bearer"), credentials_file: z.string() }),
      tls_config: z.strictObject({ ca_file: z.string(), min_version: z.literal("TLS13") }),
      static_configs: z.array(
        z.strictObject({
          targets: z.array(z.string().regex(/^[0-9.]+:7708$/)),
          labels: z.strictObject({ instance: z.string() }),
        }),
      ),
      relabel_configs: z.array(
        z.strictObject({ target_label: z.literal("job"), replacement: z.literal("sojourn") }),
      ),
    }),
  ),
});

const text = z.string().min(1);
const recorded = z.strictObject({ record: z.string().regex(/^sojourn:\w+:\w+$/), expr: text });
const alert = z.strictObject({
  alert: z.string().regex(/^Sojourn\w+$/),
  expr: text,
  for: z.exactOptional(z.string().regex(/^\d+[smh]$/)),
  labels: z.strictObject({ severity: z.enum(["critical", "warning", "info"]) }),
  annotations: z.strictObject({ summary: text, description: text }),
});
const rules = z.strictObject({
  groups: z.array(z.strictObject({ name: text, rules: z.array(z.union([recorded, alert])) })),
});

function ruleName(rule: z.infer<typeof recorded> | z.infer<typeof alert>): string {
  return "record" in rule ? rule.record : rule.alert;
}
