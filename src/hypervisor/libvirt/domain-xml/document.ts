import { domainXmlError } from "./errors.ts";
import type { XmlElement } from "./xml/element.ts";
import { parseXml } from "./xml/parse.ts";

/** @throws SojournError `SOJ_LIBVIRT_XML` unless the text is one well-formed `<domain>` within the limits. */
export function parseDomainDocument(xml: string): XmlElement {
  const root = parseXml(xml);
  if (root.name === "domain" && root.namespace === "") return root;
  throw domainXmlError(`its outermost element is <${root.name.slice(0, 80)}>`);
}
