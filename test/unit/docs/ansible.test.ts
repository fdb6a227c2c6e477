import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { phases } from "../../../src/migrator/phases.ts";
import { root } from "../../support/doc-blocks.ts";
import {
  described,
  describedBody,
  describedMembers,
  describedOperation,
} from "../../support/openapi/described.ts";

const module = "ansible.builtin.uri";

interface Play {
  vars: Record<string, string>;
  module_defaults: { [module]: { headers: Record<string, string> } };
  tasks: {
    [module]: {
      url: string;
      method?: string;
      body?: object;
      status_code?: number;
      headers?: Record<string, string>;
    };
    until?: string;
    failed_when?: string;
    loop?: string;
  }[];
}

const [play] = parse(readFileSync(join(root, "deploy/examples/ansible.yml"), "utf8")) as [Play];
const defaults = play.module_defaults[module];
const requests = play.tasks.filter((task) => module in task);
const [list, begin, wait] = requests.map(({ [module]: asked }) => ({
  ...{ method: "GET", status_code: 200 },
  ...defaults,
  ...asked,
}));

test("ansible.yml lists guests as a caller that is known", () => {
  expect(play.vars.sojourn).toMatch(/^https:\/\/[0-9.]+:7708$/);
  expect(defaults.headers.Authorization).toMatch(/^Bearer \{\{ lookup\(/);
  const guests = describedBody(operationOf(list), 200);
  expect(describedMembers(guests.items)).toEqual(expect.arrayContaining(["name", "home", "host"]));
});

test("ansible.yml begins each move once, with what the API takes", () => {
  const start = operationOf(begin);
  expect(begin).toMatchObject({ method: "POST", body_format: "json", status_code: 201 });
  const body = { guest: "web1", to: "host-b" };
  expect(Object.keys(begin?.body ?? {})).toEqual(Object.keys(body));
  const ajv = new Ajv2020({ strict: false, formats: { ipv4: true } });
  ajv.addSchema({ $id: "doc", components: described.components });
  const schema = JSON.stringify(start.requestBody?.content["application/json"]?.schema);
  expect(ajv.validate(JSON.parse(schema.replaceAll('"#/', '"doc#/')), body)).toBe(true);
  // What a task says itself replaces the module's default, the other headers with it.
  expect(begin?.headers).toEqual({ ...defaults.headers, "Idempotency-Key": expect.any(String) });
  expect(start.parameters?.map(({ name }) => name)).toContain("idempotency-key");
  const moves = describedMembers(describedBody(start, 201));
  expect(moves).toEqual(expect.arrayContaining(["id", "guest"]));
});

test("ansible.yml waits for an end that there is", () => {
  const members = describedMembers(describedBody(operationOf(wait), 200));
  const task = requests[2];
  for (const [, name] of `${task?.until} ${task?.failed_when}`.matchAll(/json\.(\w+)/g)) {
    expect(members).toContain(name);
  }
  expect(task?.loop).toBe("{{ moves.results | map(attribute='json') }}");
  const states = [...JSON.stringify(task).matchAll(/state [!=]= '([a-z-]+)'/g)];
  expect(states.length).toBeGreaterThan(1);
  for (const [, state] of states) expect(phases).toContain(state);
});

function operationOf({ method, url }: { method: string; url: string } = { method: "", url: "" }) {
  const path = url.replace("{{ sojourn }}", "").replace(/\{\{ \S+\.id \}\}/, "{id}");
  return describedOperation(method, path);
}
