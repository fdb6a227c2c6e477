import fc from "fast-check";
import { expect, test } from "vitest";
import { obstaclesOf } from "../../../../src/hypervisor/libvirt/domain-xml/obstacles/judge.ts";
import {
  type DomainFacts,
  readDomain,
} from "../../../../src/hypervisor/libvirt/domain-xml/read-domain.ts";
import {
  type DomainChanges,
  rewriteDomain,
} from "../../../../src/hypervisor/libvirt/domain-xml/rewrite.ts";
import { summarizeDomain } from "../../../../src/hypervisor/libvirt/domain-xml/summary.ts";
import type { XmlElement } from "../../../../src/hypervisor/libvirt/domain-xml/xml/element.ts";
import { parseXml } from "../../../../src/hypervisor/libvirt/domain-xml/xml/parse.ts";
import { SojournError } from "../../../../src/platform/errors.ts";
import { fixture, origins } from "./fixtures.ts";

const texts = origins.map(fixture);

function elementsOf(text: string): XmlElement[] {
  const below = (element: XmlElement): XmlElement[] => [
    element,
    ...element.children.flatMap(below),
  ];
  return below(parseXml(text));
}

/** Elements of the examples, and what stands in none of them. */
const pieces = [
  ...texts.flatMap((text) =>
    elementsOf(text)
      .filter(({ name, namespace }) => name !== "domain" && namespace === "")
      .map(({ span }) => text.slice(span.start, span.end)),
  ),
  ...["<!-- c -->", "<![CDATA[/x]]>", "text", "\r\n\t", "&#47;y", "<target/>", "<nvram>/a</nvram>"],
  ...["<nvram>/a<source file='/b'/></nvram>", "<source file='/q' dev='/w' path='/e'/>"],
  "<kernel>/k<!-- c -->k</kernel>",
];
const graft = fc.record({
  at: fc.nat(),
  how: fc.constantFrom("drop", "put first", "put last"),
  piece: fc.constantFrom(...pieces),
});

function grafted(text: string, { at, how, piece }: { at: number; how: string; piece: string }) {
  const elements = elementsOf(text);
  const { span, content } = elements[at % elements.length] as XmlElement;
  if (how === "drop" && at % elements.length > 0) {
    return text.slice(0, span.start) + text.slice(span.end);
  }
  if (content === null) return text;
  const place = how === "put first" ? content.start : content.end;
  return text.slice(0, place) + piece + text.slice(place);
}

/** What a function gives; null when it refuses with this code. */
function unless<T>(code: string, make: () => T): T | null {
  try {
    return make();
  } catch (thrown) {
    if (thrown instanceof SojournError && thrown.code === code) return null;
    throw thrown;
  }
}

function rewritten(text: string, changes: DomainChanges): DomainFacts | null {
  const after = unless("SOJ_LIBVIRT_REWRITE", () => rewriteDomain(text, changes));
  return after === null ? null : readDomain(after);
}

test("whatever elements a domain has and lacks: all of its paths and taps change, or none", () => {
  let read = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      fc.array(graft, { minLength: 1, maxLength: 5 }),
      (original, grafts) => {
        const text = grafts.reduce(grafted, original);
        const facts = unless("SOJ_LIBVIRT_XML", () => readDomain(text));
        if (facts === null) return;
        read += 1;
        obstaclesOf(facts);
        summarizeDomain(facts, []);
        const paths = new Map(facts.hostPaths.map(({ path }, index) => [path, `/new<&'"${index}`]));
        for (const { path } of rewritten(text, { paths })?.hostPaths ?? []) {
          expect(path).toMatch(/^\/new</);
        }
        const nics = facts.nics.map(({ mac }, index) => ({ mac, tapName: `sjp${index}` }));
        for (const nic of rewritten(text, { nics, paths })?.nics ?? []) {
          expect(nic).toMatchObject({ type: "ethernet", isManaged: false, script: null });
          expect(nic.device).toMatch(/^sjp\d+$/);
        }
      },
    ),
    { numRuns: 300 },
  );
  expect(read).toBeGreaterThan(150);
});

test("a NIC without MAC address cannot be asked for", () => {
  const text = fixture("lab-migratable").replace(/<mac [^>]*>/, "");
  expect(rewritten(text, { nics: [{ mac: "", tapName: "sjp0" }] })).toBeNull();
});
