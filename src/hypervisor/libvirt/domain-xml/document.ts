import { domainXmlError } from "./errors.ts";
import { childrenOf, type XmlElement } from "./xml/element.ts";
import { parseXml } from "./xml/parse.ts";

/** Elements that a domain has once, and whose children libvirt takes from all of them where it has more. */
const single = ["name", "uuid", "os", "devices"];

/**
 * @throws SojournError `SOJ_LIBVIRT_XML` unless the text is one well-formed `<domain>` within the limits, of which nothing
 * hides behind a first element of its name.
 */
export function parseDomainDocument(xml: string): XmlElement {
  const root = parseXml(xml);
  if (root.name !== "domain" || root.namespace !== "") {
    throw domainXmlError(`its outermost element is <${root.name.slice(0, 80)}>`);
  }
  const repeated = single.find((name) => childrenOf(root, name).length > 1);
  if (repeated !== undefined) throw domainXmlError(`it has more than one <${repeated}>`);
  return root;
}
