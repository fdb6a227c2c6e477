import fc from "fast-check";
import { expect, test } from "vitest";
import {
  deepestElement,
  longestDomainXmlBytes,
  mostElements,
} from "../../../../src/hypervisor/libvirt/domain-xml/limits.ts";
import { readDomain } from "../../../../src/hypervisor/libvirt/domain-xml/read-domain.ts";
import type { XmlElement } from "../../../../src/hypervisor/libvirt/domain-xml/xml/element.ts";
import { parseXml } from "../../../../src/hypervisor/libvirt/domain-xml/xml/parse.ts";
import { SojournError } from "../../../../src/platform/errors.ts";
import { fixture, origins, smallDomain } from "./fixtures.ts";

const refused = expect.objectContaining({ code: "SOJ_LIBVIRT_XML" });

/** The error of reading a text; null when it is read. Anything but an error of ours fails the test. */
function refusalOf(text: string): SojournError | null {
  try {
    readDomain(text);
    return null;
  } catch (thrown) {
    if (thrown instanceof SojournError && thrown.code === "SOJ_LIBVIRT_XML") return thrown;
    throw thrown;
  }
}

function elementsOf(root: XmlElement): XmlElement[] {
  return [root, ...root.children.flatMap(elementsOf)];
}

test.each(origins)("%s: every place is that of its thing", (origin) => {
  const text = fixture(origin);
  for (const { span, nameEnd, content, name, attributes } of elementsOf(parseXml(text))) {
    const whole = text.slice(span.start, span.end);
    expect(whole).toMatch(new RegExp(`^<([a-z]+:)?${name}[\\s/>][^]*>$`));
    expect(text.slice(span.start, nameEnd)).toMatch(new RegExp(`^<([a-z]+:)?${name}$`));
    if (content === null) expect(whole).toMatch(/\/>$/);
    else expect(text.slice(content.end)).toMatch(new RegExp(`^</([a-z]+:)?${name}\\s*>`));
    for (const { span: place, value } of attributes.values()) {
      const raw = text.slice(place.start, place.end);
      expect(raw).toBe(value.replaceAll("&", "&amp;"));
      expect(text.charAt(place.end)).toBe(text.charAt(place.start - 1));
    }
  }
});

test.each([
  ["nothing", ""],
  ["white space", " \n"],
  ["another root", "<network><name>g</name></network>"],
  ["a root in a namespace", smallDomain().replace("<domain", "<domain xmlns='urn:x'")],
  ["two roots", `${smallDomain()}<domain/>`],
  ["text behind the root", `${smallDomain()}x`],
  ["a document type", `<!DOCTYPE domain>${smallDomain()}`],
  ["an entity of its own", `<!DOCTYPE domain [<!ENTITY e "x">]>${smallDomain("", "&e;")}`],
  [
    "entities within entities",
    `<!DOCTYPE d [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;">]>${smallDomain("", "&b;")}`,
  ],
  [
    "a file as entity",
    `<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><domain>&e;</domain>`,
  ],
  ["an unknown entity", smallDomain("", "<title>&nbsp;</title>")],
  ["an entity named as JavaScript's", smallDomain("", "<title>&constructor;</title>")],
  ["a reference to no character", smallDomain("", "<title>&#0;</title>")],
  ["a reference to half a character", smallDomain("", "<title>&#xD800;</title>")],
  ["an ampersand", smallDomain("", "<title>a & b</title>")],
  ["a control character", smallDomain("", "<title>\u0001</title>")],
  ["half a character", smallDomain("", "<title>\ud800</title>")],
  ["a tag that is not closed", smallDomain("<disk>")],
  ["tags across one another", smallDomain("<a><b></a></b>")],
  ["an attribute twice", smallDomain("<disk type='file' type='block'/>")],
  ["a '<' in an attribute", smallDomain("<disk type='<'/>")],
  ["a prefix without namespace", smallDomain("", "<q:commandline/>")],
  ["a bare attribute", smallDomain("<disk type=file/>")],
])("refused: %s", (_, text) => {
  expect(() => readDomain(text)).toThrow(refused);
});

test("words of the outside in an error stay few", () => {
  const name = "x".repeat(500_000);
  expect(refusalOf(`<${name}/>`)?.message.length).toBeLessThan(400);
  expect(refusalOf(`<domain><${name}></domain>`)?.message.length).toBeLessThan(400);
  const uuid = smallDomain().replace(/<uuid>.*<\/uuid>/, `<uuid>${name}</uuid>`);
  expect(refusalOf(uuid)?.message.length).toBeLessThan(400);
});

test("too long, too deep, too many: an error at once", () => {
  const long = (character: string, bytes: number) =>
    smallDomain("", `<title>${character.repeat(bytes)}</title>`);
  expect(refusalOf(long("x", longestDomainXmlBytes - 1000))).toBeNull();
  expect(refusalOf(long("x", longestDomainXmlBytes))?.message).toContain("longer than");
  expect(refusalOf(long("ü", longestDomainXmlBytes / 2))?.message).toContain("longer than");

  const deep = (levels: number) => smallDomain("<a>".repeat(levels) + "</a>".repeat(levels));
  expect(refusalOf(deep(deepestElement - 2))).toBeNull();
  expect(refusalOf(deep(deepestElement - 1))?.message).toContain("within more than");
  expect(refusalOf("<domain>".repeat(100_000))?.message).toContain("within more than");

  expect(refusalOf(smallDomain("<a/>".repeat(mostElements - 7)))).toBeNull();
  expect(refusalOf(smallDomain("<a/>".repeat(mostElements)))?.message).toContain("more than");

  const attributes = Array.from({ length: 70_000 }, (_, index) => `a${index}=''`).join(" ");
  expect(refusalOf(smallDomain(`<a ${attributes}/>`))).toBeNull();
  const references = "&amp;".repeat(200_000);
  expect(
    refusalOf(smallDomain(`<a b='${references}'/>`, `<title>${references}</title>`)),
  ).not.toBeNull();
  expect(refusalOf(smallDomain(`<a b='${references}'/>`))).toBeNull();
});

test("a domain that ends anywhere too early is refused", () => {
  const texts = origins.map(fixture).map((text) => text.trimEnd());
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (text, at) => {
        const cut = Math.min(text.length - 1, Math.floor(at * text.length));
        expect(refusalOf(text.slice(0, cut))).not.toBeNull();
      },
    ),
  );
});

test("whatever is changed in a domain, it is read or refused", () => {
  const texts = [...origins.map(fixture), smallDomain()];
  const splinter = fc.oneof(
    fc.string({ unit: "binary", maxLength: 8 }),
    fc.constantFrom(
      ...["<", ">", "&", "'", '"', "/", "=", "]]>", "<!--", "-->", "<![CDATA[", "<?", "?>"],
      ...["<!DOCTYPE x [", "]>", "&#", "&lt;", "</", "\0", "\ufeff", "xmlns='x'", "\ud83d"],
      ...["-1", "1e9", "NaN", "99999999999999999999", "__proto__", "<nvram>", "<source/>"],
    ),
  );
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    removed: fc.integer({ min: 0, max: 12 }),
    added: splinter,
  });
  fc.assert(
    fc.property(
      fc.constantFrom(...texts),
      fc.array(change, { minLength: 1, maxLength: 4 }),
      (text, changes) => {
        const changed = changes.reduce((whole, { at, removed, added }) => {
          const place = Math.floor(at * whole.length);
          return whole.slice(0, place) + added + whole.slice(place + removed);
        }, text);
        refusalOf(changed);
      },
    ),
    { numRuns: 1500 },
  );
});

test("what is no XML at all is refused", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      expect(refusalOf(text)).not.toBeNull();
    }),
  );
});
